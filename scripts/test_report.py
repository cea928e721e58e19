#!/usr/bin/env python3
"""Tests of the report: its words, its charts, and how a browser sees it.

    python3 scripts/test_report.py
"""

import gzip
import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
sys.path.insert(0, str(SCRIPTS))
sys.dont_write_bytecode = True

import chromium  # noqa: E402
from weftlib import Problem, charts, files, summary as summaries, tables  # noqa: E402
from weftlib.report import facts, heat, page, pictures, words  # noqa: E402

CONTEXT = {"schema": 1, "partial": False, "cpu": "Fake CPU 9000", "cpus_online": 2,
           "cpus_allowed": 2, "kernel": "1", "compiler": "cc", "flags": "-O2",
           "build_type": "Release", "governor": "unknown", "seed": 7,
           "git": {"commit": "1234567", "dirty": False}, "rounds": 7, "rounds_done": 7,
           "started": "2026-01-01T00:00:00Z", "sweep": {"name": "made-up"},
           "steal": "unknown", "load_before": [0.1, 0, 0], "load_after": [1, 0, 0],
           "argv": ["scripts/sweep.py"]}
HAS_GNUPLOT = unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
EVIL = '<b>&"x'


def slices(pattern, chan, ns, tasks=2, verdict="VERIFIED", rounds=7, actual_cap=64,
           why="", jain=1.0, **knobs):
    """A cell: its slices, of `ns` per message give or take a percent, or as many as
    there are in a list."""
    times = ns if isinstance(ns, list) else [
        ns * (1 + 0.01 * ((turn * 3) % 7 - 3) / 3) for turn in range(rounds)]
    good = verdict in ("VERIFIED", "FLOOR")
    name = "/".join([pattern, "chan:" + chan] + ["%s:%s" % knob for knob in knobs.items()])
    closed = pattern == "ping_pong"
    latency = {"kind": "closed-loop round trip" if closed else "open-loop sojourn",
               "load": None if closed else 0.5, "arrivals": "fixed", "count": 90,
               "p50": 5 * times[0], "p90": 9 * times[0], "p99": 20 * times[0],
               "p999": 90 * times[0], "max": 300 * times[0]}
    return [{"cell": name, "pattern": pattern, "chan": chan, "knobs": knobs,
             "params": {**knobs, "items": 1000}, "actual_cap": actual_cap, "tasks": tasks,
             "cpus": 2, "oversubscribed": tasks > 2, "verdict": verdict, "why": why,
             "samples": [{"ns": int(1000 * one), "messages": 1000, "cpu_seconds":
                          2e-6 * one, "voluntary_switches": 10}] if good else [],
             "latency_ns": latency if good else None, "peak_rss_bytes": 4096,
             "fairness": {"jain": jain, "least_share": 0.9}, "seed": 7, "round": turn,
             "order": turn} for turn, one in enumerate(times if good else times[:1])]


def pc(chan, ns, n=1, cap=64, **more):
    return slices("producer_consumer", chan, ns, tasks=2 * n, producers=n, consumers=n,
                  cap=cap, **more)


def run_of(*cells, **context):
    records = [record for cell in cells for record in cell]
    return facts.of(summaries.build({**CONTEXT, **context}, records), records)


def everything():
    """A run with a bit of all that a report has to show."""
    cells = []
    for n in (1, 2, 4):
        for cap in (0, 1, 64):
            cells += [pc("condvar", 400 * n, n, cap), pc("handoff", 60 * n, n, cap),
                      pc("ring", 30 * n, n, cap, jain=1 / n),
                      pc(EVIL, 50 * n, n, cap), pc("null", 5, n, cap, verdict="FLOOR")]
        cells.append(pc("list", 20, n, 64, actual_cap=None))
        cells.append(pc("spsc", 25, n, 64, verdict="VERIFIED" if n == 1 else "N/A",
                        why="cannot have 2 senders"))
    cells.append(pc("pipe", 300, 2, 64, verdict="HUNG", why="no progress <at all>"))
    cells += [slices("ping_pong", chan, ns, pairs=1) for chan, ns in (
        ("ring", 100), ("condvar", 900))]
    cells += [slices("fan", "ring", ns, variant=variant) for variant, ns in (
        ("serial", 10), ("shared", 30), ("ordered", 50))]
    return run_of(*cells)


class Saving(unittest.TestCase):
    """What --out may name."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "out")

    def test_what_is_no_file_is_written_to_and_stays(self):
        os.mkfifo(self.path)
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        files.save(self.path, "text")
        self.assertEqual(os.read(reader, 9), b"text")
        self.assertTrue(self.path.is_fifo())

    def test_a_link_stays_one(self):
        target = self.path.with_name("target")
        self.path.symlink_to(target)
        for text in ("new", "newer"):
            files.save(self.path, text)
            self.assertTrue(self.path.is_symlink())
            self.assertEqual(target.read_text(), text)

    def test_nothing_is_left_where_it_fails(self):
        self.path.mkdir()
        for path in (self.path, self.path / "no" / "such"):
            with self.assertRaisesRegex(Problem, "cannot write '%s': " % path):
                files.save(path, "text")
        self.assertEqual(list(self.path.parent.rglob("*")), [self.path])


class Words(unittest.TestCase):
    def answer(self, *cells):
        return words.answers(run_of(*cells))[0]

    def text(self, *cells):
        return " ".join(self.answer(*cells).sentences)

    def test_the_fastest_is_named_with_its_lead(self):
        found = self.answer(pc("ring", 50), pc("handoff", 100), pc("condvar", 400))
        self.assertEqual(found.use, "ring")
        text = " ".join(found.sentences)
        self.assertIn("ring is the fastest wherever it was measured (1 place)", text)
        self.assertIn("20.0 million messages/s", text)
        self.assertRegex(text, r"8\.0\d times as fast as condvar|8.00 times")
        self.assertIn("2.00 times as fast as handoff, the next", text)
        self.assertNotIn("nobody", text)

    def test_where_intervals_overlap_nobody_can_tell(self):
        found = self.answer(pc("ring", 100), pc("handoff", 100.5), pc("condvar", 400))
        text = " ".join(found.sentences)
        self.assertIn("Nobody can tell ring from handoff, because their intervals overlap "
                      "(1 place).", text)
        self.assertEqual((found.use, found.rivals), ("ring", ["handoff"]))
        self.assertNotIn("fastest", text)

    def test_one_round_or_two_tell_nothing(self):
        for rounds in (1, 2):
            text = self.text(pc("ring", 50, rounds=rounds), pc("handoff", 100, rounds=9))
            self.assertIn("Nobody can tell ring from handoff, because they have fewer than 3 "
                          "rounds (1 place).", text)
        self.assertIn("ring is the fastest", self.text(
            pc("ring", 50, rounds=3), pc("handoff", 100, rounds=3)))

    def test_a_latency_of_a_queue_that_grew_is_marked(self):
        slow = pc("ring", 50)
        for entry in slow:
            entry["latency_ns"]["kept_up"] = False
        self.assertIn("at 50 % load, more than came through)", " ".join(
            self.answer(slow).costs))

    def test_a_hair_beyond_the_interval_is_told(self):
        self.assertNotIn("nobody", self.text(pc("ring", 100), pc("handoff", 104)))

    def test_what_wins_in_most_places_is_used_and_the_others_are_said(self):
        found = self.answer(pc("ring", 50, cap=1), pc("ring", 50, cap=64),
                            pc("spsc", 55, cap=1), pc("spsc", 10, cap=64),
                            pc("ring", 40, cap=1024), pc("spsc", 44, cap=1024))
        self.assertEqual(found.use, "ring")
        self.assertIn("at 1 → 1, capacity 64 spsc is faster", " ".join(found.sentences))

    def test_an_unbounded_channel_is_another_thing(self):
        found = self.answer(pc("list", 10, actual_cap=None), pc("ring", 50))
        self.assertEqual(found.use, "ring")
        self.assertIn("list has no bound: there it does 100 million messages/s",
                      " ".join(found.sentences))

    def test_floors_and_failed_channels_win_nothing(self):
        found = self.answer(pc("null", 1, verdict="FLOOR"), pc("ring", 50),
                            pc("pipe", 1, verdict="HUNG"))
        self.assertEqual(found.use, "ring")
        self.assertIn("pipe HUNG at 1 → 1, capacity 64.", found.sentences)

    def test_two_modes_reach_from_one_to_the_other(self):
        run = run_of(pc("ring", 40), pc("handoff", 50))
        ring, = [cell for cell in run.cells if cell["chan"] == "ring"]
        ring["modes"] = [{"messages_per_second": 1e9 / 40, "share": 0.6},
                         {"messages_per_second": 1e9 / 90, "share": 0.4}]
        self.assertIn("Nobody can tell ring from handoff",
                      " ".join(words.answers(run)[0].sentences))
        self.assertEqual(tables.throughput_text(ring), "25.0 (60%) | 11.1 (40%)")

    def test_the_cost_is_said(self):
        found = self.answer(pc("ring", 50), pc("condvar", 400))
        self.assertEqual(found.costs, [
            "0.100 CPU seconds per million messages (condvar: 0.800)",
            "latency: 248 ns at p50, 990 ns at p99 (open-loop sojourn at 50 % load)"])
        text = words.markdown(run_of(pc("ring", 50)))
        self.assertIn("It costs: 0.100 CPU seconds", text)

    def test_doubts_stand_beside_the_number(self):
        run = run_of(pc("ring", 50))
        run.cells[0].update(near_floor=True, steady=False)
        text = " ".join(words.answers(run)[0].sentences)
        self.assertIn("not well above the floor", text)
        self.assertIn("not steady", text)
        run.cells[0]["modes"] = [{"messages_per_second": 2e7, "share": 0.6},
                                 {"messages_per_second": 1e7, "share": 0.4}]
        text = " ".join(words.answers(run)[0].sentences)
        self.assertIn("two modes, 20.0 (60 %) and 10.0 (40 %)", text)

    def test_topologies_are_kept_apart(self):
        run = run_of(pc("ring", 50), pc("handoff", 100), pc("ring", 500, 2),
                     pc("handoff", 100, 2), pc("handoff", 90, cap=0))
        self.assertEqual([one.use for one in words.answers(run)],
                         ["ring", "handoff", "handoff"])

    def test_a_run_without_such_cells_says_so(self):
        run = run_of(slices("fan", "ring", 10, variant="serial"))
        self.assertEqual([one.sentences for one in words.answers(run)],
                         [["This run has no such cell."]] * 3)

    def test_other_knobs_than_the_topology_do_not_count(self):
        self.assertEqual(self.answer(pc("ring", 50), pc("spsc", 1, payload=1024)).use,
                         "ring")

    def test_what_the_system_places_is_another_row(self):
        free, kept = pc("ring", 50, placement="free"), pc("ring", 70)
        for placed, plain in (("free", False), ("apart", True)):
            run = run_of(kept, pc("ring", 50, placement=placed))
            self.assertEqual(facts.is_plain(run.cells[1]), plain)
        found = facts.topologies(run_of(kept, free))
        self.assertEqual([cells["ring"]["knobs"].get("placement") for cells in found.values()],
                         [None])

    def test_what_is_not_steady_is_counted_and_marked(self):
        run = run_of(pc("ring", 50), pc("handoff", 60))
        for cell in run.cells:
            cell["steady"] = cell["chan"] == "ring"
        self.assertIn("1 of 2 cells are steady", " ".join(words.quality(run)))
        self.assertEqual([tables.throughput_text(cell)[-1:] for cell in run.cells],
                         ["~", "%"])

    def test_summary_md_has_them(self):
        run = run_of(pc("ring", 50), pc(EVIL, 20))
        text = words.markdown(run)
        self.assertIn("- **One producer, one consumer: \\<b\\>&\"x.**", text)


class Charts(unittest.TestCase):
    def chart(self, *cells, metric=charts.THROUGHPUT):
        run = run_of(*cells)
        return charts.by_tasks(run.cells[0]["pattern"], run.cells, metric)

    def test_where_tasks_vary_there_are_lines(self):
        chart = self.chart(pc("ring", 50), pc("ring", 60, 2))
        panel, = chart.panels
        self.assertIn("yerrorlines", panel.lines[-1])
        self.assertEqual(panel.x, "tasks (threads)")

    def test_where_only_the_variant_does_there_are_rows(self):
        chart = self.chart(*(slices("fan", "ring", 10 * n, variant=name) for n, name in
                             enumerate(("serial", "shared", "ordered"), 1)))
        panel, = chart.panels
        self.assertIn("xerrorbars", panel.lines[-1])
        text = "\n".join(panel.lines)
        for name in ("serial", "shared", "ordered"):
            self.assertIn("variant " + name, text)

    def test_a_row_title_does_not_run_into_the_key(self):
        keys, group = ("cap", "placement", charts.SHAPE), [{"tasks": 2, "oversubscribed": 1}]
        for place, named in ("same", False), ("auto", True):
            title = charts.row_title(keys, (64, place, "N:N"), group)
            self.assertEqual(charts.SHAPE in title, named)
            self.assertIn("N:N, 2 tasks*", title)
            self.assertLessEqual(len(title), charts.ROW_TITLE_MOST)

    def test_one_point_is_no_picture(self):
        self.assertIsNone(self.chart(slices("fan", "ring", 10, variant="serial")))
        self.assertIsNotNone(self.chart(slices("fan", "ring", 10, variant="serial"),
                                        slices("fan", "list", 10, variant="serial")))

    def test_whatever_sets_the_number_of_tasks_is_the_axis(self):
        for knob in ("writers", "beaters", "subscribers", "workers", "depth"):
            cells = [slices("x", chan, 10, tasks=n + 1, **{knob: n})
                     for n in (1, 2, 4) for chan in ("ring", "list")]
            self.assertEqual([panel.x for panel in self.chart(*cells).panels],
                             ["tasks (threads)"], knob)

    def test_rows_say_what_differs_and_mark_what_is_crowded(self):
        lines = [slices("fan", "ring", 10, n, variant="c", workers=n, cap=256)
                 for n in (1, 2)]
        chart = self.chart(*lines, slices("fan", "ring", 10, variant="a", cap=64),
                           slices("fan", "ring", 10, 3, variant="b", cap=64))
        text = "\n".join(chart.panels[1].lines)
        self.assertIn('"variant a, 2 tasks"', text)
        self.assertIn('"variant b, 3 tasks*"', text)
        self.assertIn("* more tasks than CPUs", chart.note)

    def test_what_is_ordinary_is_not_named_beside_what_is_not(self):
        self.assertEqual(charts.panel_title(["cap", "payload", "placement"],
                                            [64, 8, "auto"]), "cap 64")
        self.assertEqual(charts.panel_title(["cap", "payload"], [64, 1024]),
                         "cap 64, payload 1024")
        self.assertEqual(charts.panel_title(["payload"], [8]), "payload 8")

    def test_many_variants_look_different_each(self):
        cells = [slices("fan", "ring", 10, tasks=n, variant="v%d" % name, workers=n)
                 for n in (1, 2) for name in range(12)]
        looks = self.chart(*cells).styles.values()
        self.assertEqual(len(set(looks)), 12)

    def test_single_points_beside_lines_become_rows(self):
        cells = [slices("fan", "ring", 10, tasks=n, variant="shared", workers=n)
                 for n in (1, 2)] + [
                     slices("fan", "ring", 10, variant=name, workers=2)
                     for name in ("a", "b")]
        self.assertEqual([panel.x for panel in self.chart(*cells).panels],
                         ["tasks (threads)", charts.THROUGHPUT.axis])

    def test_variants_over_one_channel_share_a_panel(self):
        cells = [slices("fan", "ring", 10, tasks=n, variant=name, workers=n)
                 for n in (1, 2) for name in ("a", "b")]
        chart = self.chart(*cells)
        self.assertEqual([panel.title for panel in chart.panels], ["over ring"])
        self.assertEqual(list(chart.styles), ["variant a", "variant b"])

    def test_the_legend_has_nothing_without_data(self):
        chart = self.chart(pc("ring", 50), pc("ring", 60, 2), pc("spsc", 1, 2,
                           verdict="N/A"), pc("pipe", 1, 2, verdict="HUNG"))
        self.assertEqual(list(chart.styles), ["ring"])

    def test_what_failed_stands_in_the_picture_and_below_it(self):
        chart = self.chart(pc("ring", 50), pc("ring", 60, 2),
                           pc("pipe", 1, 2, verdict="HUNG"))
        self.assertIn('"pipe HUNG"', "\n".join(chart.panels[0].lines))
        self.assertIn("textcolor rgb '%s'" % charts.WRONG, chart.panels[0].lines[-1])
        self.assertIn("Not drawn: pipe", charts.full_note(chart))

    def test_what_failed_in_a_row_stands_in_its_title(self):
        chart = self.chart(*(pc(chan, 50, cap=cap) for chan in ("ring", "spsc")
                             for cap in (0, 1)), pc("pipe", 1, cap=1, verdict="HUNG"),
                           pc("socketpair", 1, 2, cap=1, verdict="FAILED"))
        titles = [line for panel in chart.panels for line in panel.lines
                  if "cap" in line and "plot" not in line]
        self.assertEqual([("pipe HUNG" in title, "socketpair" in title)
                          for title in titles], [(False, False), (True, False)])

    def test_two_modes_are_two_marks_and_no_median(self):
        run = run_of(pc("ring", 50), pc("ring", 60, 2))
        run.cells[0]["modes"] = [{"messages_per_second": 4e7, "share": 0.75},
                                 {"messages_per_second": 1e7, "share": 0.25}]
        panel = charts.by_tasks("producer_consumer", run.cells,
                                charts.THROUGHPUT).panels[0]
        text = "\n".join(panel.lines)
        self.assertIn('40 "75 %"', text)
        self.assertIn('10 "25 %"', text)
        self.assertNotIn("\n2 20 ", text)

    def test_more_tasks_than_cpus_is_shaded(self):
        chart = self.chart(pc("ring", 50), pc("ring", 60, 2))
        self.assertIn("more tasks than CPUs (2)", "\n".join(chart.panels[0].frame))

    def test_capacities_make_a_curve_from_three_on(self):
        cells = [pc("ring", 50, cap=cap) for cap in (1, 64, 1024)]
        run = run_of(*cells)
        chart = charts.capacity("producer_consumer", run.cells)
        self.assertEqual(len(chart.panels), 1)
        self.assertIn("'1024' 3", "\n".join(chart.panels[0].frame))
        self.assertIsNone(charts.capacity("x", run_of(*cells[:2]).cells))

    def test_loads_of_the_latency_make_no_panels_of_throughput(self):
        cells = [pc("ring", 50, n, utilization=load) for n in (1, 2) for load in (50, 95)]
        self.assertEqual(len(self.chart(*cells).panels), 1)

    def test_latency_of_one_round_is_no_median(self):
        def told(rounds):
            return charts.latency("producer_consumer", run_of(
                pc("ring", 30, rounds=rounds), pc("handoff", 60, rounds=rounds)).cells)[0].note
        self.assertIn("of one round", told(1))
        self.assertIn("medians over the rounds", told(3))

    def test_open_and_closed_loops_are_never_in_one_picture(self):
        run = run_of(slices("x", "ring", 10), slices("x", "list", 10))
        run.cells[0]["latency_ns"]["kind"] = "closed-loop round trip"
        found = charts.latency("x", run.cells)
        self.assertEqual([list(chart.styles) for chart in found], [["list"], ["ring"]])


class Tags(html.parser.HTMLParser):
    """The elements of a page, and whether each was closed where it should be."""

    VOID = ("meta", "link", "path", "use", "rect", "circle", "polygon", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.wrong = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in self.VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


class Pages(unittest.TestCase):
    """What does not need a picture."""

    @classmethod
    def setUpClass(cls):
        cls.run_of_all = everything()
        cls.text = page.build(cls.run_of_all, with_pictures=False)

    def test_it_is_whole_and_asks_nothing_of_a_network(self):
        found = Tags(self.text)
        self.assertEqual((found.open, found.wrong), ([], []))
        self.assertNotRegex(self.text, r"(src|href)=\"(?!#|data:)|url\(|@import|<script")

    def test_names_are_escaped(self):
        self.assertNotIn("<b>&", self.text)
        self.assertIn("&lt;b&gt;&amp;&quot;x", self.text)
        self.assertIn("no progress &lt;at all&gt;", self.text)

    def test_what_hung_is_shown_everywhere(self):
        banner = re.search(r'<div class="banner".*?</div>', self.text).group()
        self.assertIn("HUNG producer_consumer/chan:pipe", banner)
        self.assertIn(">HUNG</td>", str(heat.part(self.run_of_all)))
        self.assertGreaterEqual(self.text.count('<td class="bad">HUNG</td>'), 4)
        self.assertIn('<b class="bad">HUNG</b>', self.text)

    def test_each_cell_has_its_samples_in_run_order_and_its_command(self):
        run = run_of(pc("ring", [100.0, 50.0, 200.0, 125.0]))
        text = page.build(run, with_pictures=False)
        self.assertIn("10.0, 20.0, 5.00, 8.00", text)
        self.assertIn("<code>weft run producer_consumer --chan=ring --producers=1", text)

    def test_what_was_rejected_is_told_with_its_cell(self):
        cell = pc("ring", 100)
        cell[2].update(rejected={"why": "others ran", "samples": cell[2]["samples"]},
                       samples=[])
        cell[4]["disturbed"] = {"why": "others ran", "foreign": 0.5, "steal": 0}
        text = page.build(run_of(cell), with_pictures=False)
        self.assertRegex(text, r"Not used: [\d.]+ in round 2 \(others ran\)")
        self.assertIn("others had the CPUs in 1 round that had to be used", text)
        self.assertIn("Not used: 1 sample, because", text)
        self.assertIn("1 cell had to use", text)

    def test_the_heat_map_is_relative_to_condvar(self):
        text = str(heat.part(run_of(pc("condvar", 400), pc("ring", 50),
                                    pc("handoff", [396.5, 399.5, 404, 399.2, 402.2,
                                                   397.3, 401.8]))))
        self.assertRegex(text, r'class="up3"><b>8\.0\d?×</b>')
        self.assertRegex(text, r'class="even unsure"><b>(0\.999|1\.00)×</b>')

    def test_what_is_not_known_of_the_environment_is_never_ok(self):
        text = page.build(run_of(pc("ring", 50)), with_pictures=False)
        for name, state in (("governor", "unknown"), ("steal", "unknown"),
                            ("source tree", "ok")):
            self.assertRegex(text, r'<th scope="row">%s</th><td>[^<]*</td>'
                             r'<td class="state-%s">' % (name, state))

    def test_latency_is_told_to_its_end(self):
        text = page.build(run_of(pc("ring", 100), pc("handoff", 200)), with_pictures=False)
        self.assertRegex(text, r"p99.9 / max(?s:.*?)<td>17.8 / 59.4</td><td>8.91 / 29.7</td>")

    def test_costs_have_their_tables_where_they_are_known(self):
        run = run_of(pc("ring", 50))
        run.cells[0].update(idle_cpu_share=0.0123, bytes_per_channel=8320)
        text = page.build(run, with_pictures=False)
        self.assertRegex(text, r"CPU of one task that waits, %.*?<td>1\.23</td>")
        self.assertRegex(text, r"Bytes of an idle channel.*?<td>8320</td>")
        self.assertIn("8.32 kB for an idle channel", text)
        self.assertNotIn("Longest time that one consumer", text)

    def test_a_table_of_nothing_is_left_out(self):
        run = run_of(pc("ring", 50))
        self.assertIn("Jain", page.build(run, with_pictures=False))
        run.cells[0]["fairness"] = None
        self.assertNotIn("least share", page.build(run, with_pictures=False))

    def test_every_table_has_a_caption_and_anchors_are_there(self):
        self.assertEqual(self.text.count("<table"), self.text.count("<caption"))
        anchors = {attrs["id"] for _, attrs in Tags(self.text).seen if "id" in attrs}
        for target in re.findall(r'<a [^>]*href="#([^"]+)"', self.text):
            self.assertIn(target, anchors)

    def test_an_old_summary_without_samples_will_do(self):
        run = facts.of(self.run_of_all.summary, [])
        self.assertIn("Which channel to use", page.build(run, with_pictures=False))

    def test_the_least_that_a_summary_may_hold_will_do(self):
        cells = [{"name": "producer_consumer/%s" % chan, "pattern": "producer_consumer",
                  "chan": chan, "knobs": {"producers": 1, "consumers": 1, "cap": 1},
                  "verdict": verdict, "messages_per_second": rate} for chan, verdict, rate in (
                      ("ring", "VERIFIED", {"median": 1e6, "min": 1e6, "max": 1e6}),
                      ("pipe", "HUNG", None))]
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "summary.json").write_text(json.dumps({
                "schema": 1, "cells": cells, "context": {
                    "git": {"commit": "x"}, "started": ""}}))
            text = page.build(facts.read(folder), with_pictures=False)
        self.assertIn("ring is the fastest wherever", text)
        self.assertIn("HUNG producer_consumer/pipe", text)


@HAS_GNUPLOT
class Pictures(unittest.TestCase):
    """The whole page, from a folder, by the command; and in a browser."""

    @classmethod
    def setUpClass(cls):
        cls.dir = Path(tempfile.mkdtemp(prefix="weft-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        run = everything()
        records = [record for some in run.records.values() for record in some]
        lines = "".join(json.dumps(line) + "\n" for line in [CONTEXT, *records])
        (cls.dir / "samples.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
        (cls.dir / "summary.json").write_text(json.dumps(run.summary))
        cls.done = cls.report(str(cls.dir))
        cls.file = cls.dir / "report.html"
        cls.text = cls.file.read_text()
        cls.pictures = re.findall(r'<svg class="(?:panel|strip)".*?</svg>', cls.text, re.S)

    @staticmethod
    def report(*args):
        return subprocess.run([sys.executable, str(SCRIPTS / "report.py"), *args],
                              capture_output=True, text=True, timeout=300)

    def test_the_command_says_where_it_is(self):
        self.assertEqual(self.done.returncode, 0, self.done.stderr)
        self.assertIn("report.html", self.done.stdout)

    def test_a_long_title_has_two_lines(self):
        self.assertEqual(pictures.folded("x, " * 10 + "y"), "'%sy'" % ("x, " * 10))
        folded = pictures.folded('variant "v", ' * 6)
        self.assertEqual(folded.count("\\n"), 1)
        self.assertTrue(all(len(line) <= 62 for line in folded.split("\\n")), folded)
        self.assertNotIn('"', folded[1:-1])

    def test_a_folder_without_a_run_is_bad_input(self):
        done = self.report(str(self.dir / "nothing"))
        self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), done.stderr)

    def test_every_picture_has_data_and_the_pages_colours(self):
        self.assertGreater(len(self.pictures), 20)
        for picture in self.pictures:
            self.assertRegex(picture, "<use [^>]*#gpPt", picture[:300])
            self.assertNotIn("rgb(", picture)
            self.assertRegex(picture, 'aria-label="[^"]+"')
        used = set(re.findall(r"var\(--([a-z0-9]+)\)", self.text))
        for name in used:
            self.assertIn("--%s:" % name, self.text)
        for symbol in set(re.findall(r"href='?\"?#(gpPt\d+)", self.text)):
            self.assertIn("id='%s'" % symbol, self.text)

    def test_its_elements_are_balanced(self):
        found = Tags(self.text)
        self.assertEqual((found.open, found.wrong), ([], []))

    @unittest.skipUnless(chromium.find(), "Chromium is not installed: scripts/setup.sh "
                                          "--dev installs it")
    def test_a_browser_has_nothing_to_complain_of(self):
        with chromium.Browser(chromium.find()) as browser:
            for width, scheme in ((1280, "light"), (400, "dark")):
                browser.open(self.file, width, scheme)
                self.assertEqual(browser.complaints(), [])
                self.assertEqual(set(browser.requests()) - {self.file.as_uri(), "data:,"},
                                 set())
                self.look(browser, width)

    def look(self, browser, width):
        """Nothing is wider than the window, and all pictures are where they can be
        seen, with something in them."""
        browser.value("document.querySelectorAll('details').forEach(d => d.open = true)")
        self.assertLessEqual(browser.value("document.documentElement.scrollWidth"), width)
        empty = browser.value("""Array.from(document.querySelectorAll(
            'svg.panel, svg.strip')).filter(s => s.getBoundingClientRect().width < 200 ||
            !Array.from(s.querySelectorAll('use')).some(
                u => u.getBoundingClientRect().width > 0)).map(s => s.outerHTML)""")
        self.assertEqual(empty, [])
        self.assertEqual(browser.value("document.querySelectorAll("
                                       "'svg.panel, svg.strip').length"),
                         len(self.pictures))
        shot = browser.screenshot(height=2000)
        self.assertEqual(shot[:8], b"\x89PNG\r\n\x1a\n")
        self.assertGreater(len(shot), 20000)


class Publishing(unittest.TestCase):
    """A run becomes the one that is shown."""

    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix="weft-test-"))
        self.addCleanup(shutil.rmtree, self.dir)
        self.root, self.run_dir = self.dir / "tree", self.dir / "new-run"
        (self.root / "results/reference/old-run").mkdir(parents=True)
        (self.root / "README.md").write_text("see results/reference/old-run/x.svg, old-run\n"
                                             "Measured on a PDP-11.\n")
        self.write(pc("ring", 50))

    def write(self, *cells, **context):
        shutil.rmtree(self.run_dir, ignore_errors=True)
        self.run_dir.mkdir()
        run = run_of(*cells, **context)
        for name, text in (("summary.json", json.dumps(run.summary)), ("summary.md", "x"),
                           ("samples.jsonl", "{}\n"), ("report.html", "x"),
                           ("benchmark.json", "{}"), ("throughput-fan.png", "x"),
                           *(("%s-producer_consumer.svg" % kind, "<svg/>") for kind in (
                               "throughput", "capacity", "latency"))):
            (self.run_dir / name).write_text(text)

    def publish(self, status=0):
        done = subprocess.run([sys.executable, str(SCRIPTS / "publish.py"),
                               str(self.run_dir), "--root", str(self.root)],
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        return done.stderr

    def test_it_takes_the_place_of_the_one_before(self):
        self.publish()
        folder, = (self.root / "results/reference").iterdir()
        self.assertEqual(folder.name, "new-run")
        self.assertEqual({path.name for path in folder.iterdir()}, {
            "summary.json", "summary.md", "samples.jsonl.gz", "report.html",
            "throughput-producer_consumer.svg", "capacity-producer_consumer.svg",
            "latency-producer_consumer.svg"})
        self.assertEqual(gzip.decompress((folder / "samples.jsonl.gz").read_bytes()),
                         b"{}\n")
        self.assertEqual((self.root / "README.md").read_text(),
                         "see results/reference/new-run/x.svg, new-run\n"
                         "Measured on Fake CPU 9000, 2 CPUs, hypervisor unknown, at "
                         "commit 1234567, 2026-01-01.\n")

    def test_only_a_whole_run_without_a_fault_does(self):
        self.write(pc("ring", 50), partial=True)
        self.assertIn("interrupted", self.publish(2))
        self.write(pc("ring", 50), pc("pipe", 1, verdict="HUNG"))
        self.assertIn("HUNG producer_consumer/chan:pipe", self.publish(2))
        self.write(pc("ring", 50))
        (self.run_dir / "capacity-producer_consumer.svg").unlink()
        self.assertIn("has no capacity-producer_consumer.svg", self.publish(2))
        self.assertEqual([path.name for path in
                          (self.root / "results/reference").iterdir()], ["old-run"])


if __name__ == "__main__":
    unittest.main()
