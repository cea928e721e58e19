"""Running the rounds: one process per slice, every cell once per round."""

import itertools
import signal
import time
from dataclasses import replace
from datetime import datetime, timezone

from . import Refused, figures, plan, turns, whole
from .binary import MEASURED, BAD, STDERR_LINES, judge, last_lines
from .plan import FEWEST_ROUNDS, slice_limit, slice_seconds
from .steady import KNOWN, STEADY
from .watch import reject

#: A first slice that is so many times as short as it should be, or as long as the others
#: should, was not made to last that long; and the first turns correct by no more.
ABOUT = 3.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupt:
    """Turns SIGINT, SIGTERM and SIGHUP into a flag and ends the running slice.

    The flag stays watched until the results are written, so that a second
    Ctrl-C cannot leave half of them. What is ignored (nohup) stays ignored.
    """

    def __init__(self, weft):
        self.weft = weft
        self.signal = None

    def __enter__(self):
        self.before = {number: signal.signal(number, self.handle)
                       for number in SIGNALS
                       if signal.getsignal(number) != signal.SIG_IGN}
        return self

    def __exit__(self, *_):
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def handle(self, number, _frame):
        self.signal = number
        self.weft.stop()


class Runner:
    """Measures `cells`; every finished slice goes to `sink(record)`.

    `by_turns`, cells that differ in their channel only are measured together: all their
    processes are there, and each makes one short repetition after the other's. What is
    resumed in the middle of such a group is only what is missing of it.

    Every cell gets its rounds. One that may have more, and whose median is not known
    well enough by then, gets them while the budget lasts, together with the cell that
    its speed is told against. Before each such round those cells are chosen that will be
    known in the time that is left, as many as can be; then those that will at least be
    steady; the rest get what that leaves.

    `done` holds records of the same cells from before an interruption: what they say is
    taken for measured.

    With a `watch`, slices are rejected while others disturb them, as long as three of a
    cell's own rounds are left. It looks before and after what is measured together.
    """

    def __init__(self, weft, cells, seed, patience, budget, sink, progress,
                 interrupt, done=(), watch=None):
        self.weft = weft
        self.cells = cells
        self.seed = seed
        self.patience = patience
        self.budget = budget
        self.sink = sink
        self.progress = progress
        self.interrupt = interrupt
        self.watch = watch
        self.by_turns = False
        self.work_rate = None  # how fast a CPU computes, to all processes
        self.rejected = {}  # cell name: how many of its own rounds were rejected
        self.owed = set()  # cells whose latency was rejected, and not measured since
        self.done = {(entry["cell"], entry["round"]): entry for entry in done}
        self.last_done = max((turn for _, turn in self.done), default=-1)
        self.items = {}  # cell name: how many a whole slice would have, by the first
        self.divisible = set()  # cells whose turns each do a part of that
        self.turn_items = {}  # cell name: that part, corrected by the first turns
        self.crowds = {}  # cell name: tasks for each CPU, as its first slice has it
        self.told = {}  # cell name: what its slices say of its speed
        self.guesses = {}  # (cell name, how well): (slices seen, rounds it still takes)
        self.over = set()  # cells that are not run again
        self.slices = 0
        self.cost = 0.0
        self.rounds_done = 0
        self.round_took = None  # s of the last round that was not taken from before
        self.begun = self.now() - sum(entry["wall_seconds"] for entry in done)

    def run(self):
        """All rounds. Returns whether none of them was cut off by a signal."""
        for turn in range(max(cell.rounds for cell in self.cells)):
            if not self.another_fits(turn):
                break
            begin = self.now()
            if not self.round(turn, self.parts(turn)):
                return False
            if turn > self.last_done:
                self.round_took = self.now() - begin
            self.rounds_done = turn + 1
            self.round_ends(turn)
        return self.more_rounds()

    def round(self, turn, parts, fits=lambda part: True):
        """One round of the cells in these parts, as far as they fit. Returns whether it
        was not cut off."""
        place = 0
        for part in parts:
            if not fits(part):
                break
            if self.interrupt.signal:
                return False
            for cell in part:
                if turn >= cell.rounds:
                    self.progress.more(turn, slice_seconds(cell, turn))
            self.step(part, turn, place)
            place += len(part)
        return not self.interrupt.signal

    def more_rounds(self):
        """Those of cells that need them; likewise."""
        for turn in itertools.count(max(cell.rounds for cell in self.cells)):
            before = self.slices
            parts = self.arranged(self.wanted(turn), turn)
            if not self.round(turn, parts, lambda part: self.fits(part, turn)):
                return False
            if self.slices == before and turn >= self.last_done:
                return True

    def wanted(self, turn):
        """The cells that get a round `turn` beyond their own, and those that they are
        compared with. A round from before an interruption has those that it had."""
        names = {name for name, one in self.done if one == turn}
        if turn >= self.last_done:
            wanted = self.unknown_cells(KNOWN)
            if self.budget is not None:
                wanted = self.worth_it(KNOWN) or self.worth_it(STEADY) or wanted
            names |= {name for cell in wanted for name in (cell.name, cell.reference)}
        return [cell for cell in self.cells if cell.name in names]

    def unknown_cells(self, within):
        """Cells that may have more rounds, and are not known so well."""
        return [cell for cell in self.cells if cell.name not in self.over
                and cell.rounds < cell.limit
                and len(self.told.get(cell.name, [])) < cell.limit
                and not self.is_told_no_more(cell)
                and self.further(cell, within) != 0]

    def is_told_no_more(self, cell):
        """Whether it has ratios to a reference that is not run again."""
        reference = self.other_reference(cell)
        return reference in self.over and bool(
            figures.ratios(self.told.get(cell.name, []), self.told.get(reference, [])))

    def worth_it(self, within):
        """The cells that are not known so well, and will be in the time that is left."""
        cells = self.unknown_cells(within)
        needs = [need for need in (self.need(cell, within) for cell in cells) if need]
        names = plan.affordable(needs, self.budget - (self.now() - self.begun))
        return [cell for cell in cells if cell.name in names]

    def need(self, cell, within):
        """None where all the rounds that it may have will not do."""
        rounds = self.further(cell, within)
        if rounds is None or len(self.told.get(cell.name, [])) + rounds > cell.limit:
            return None
        reference = self.other_reference(cell)
        return plan.Need(cell.name, rounds, self.pace() * slice_seconds(cell, cell.rounds),
                         "" if reference in self.over else reference)

    def further(self, cell, within):
        """As figures.further(); worked out anew only when it has more slices."""
        slices = self.told.get(cell.name, [])
        reference = self.told.get(self.other_reference(cell), [])
        key, seen = (cell.name, within), (len(slices), len(reference))
        if self.guesses.get(key, ((), 0))[0] != seen:
            self.guesses[key] = seen, figures.further(slices, reference, within)
        return self.guesses[key][1]

    def other_reference(self, cell):
        """The name of its reference, if that is another cell that has been measured; ""."""
        other = cell.reference != cell.name and cell.reference in self.told
        return cell.reference if other else ""

    def pace(self):
        """How much longer slices take than they should."""
        return (self.now() - self.begun) / self.cost if self.cost else 1.0

    def fits(self, part, turn):
        """Whether there is time for one more slice of each, going by those so far."""
        missing = [cell for cell in part if (cell.name, turn) not in self.done]
        if self.budget is None or not missing:
            return True
        more = self.pace() * sum(slice_seconds(cell, turn) for cell in missing)
        return self.now() - self.begun + more <= self.budget

    def round_ends(self, turn):
        """For what is learned from a whole round."""

    def parts(self, turn):
        """What a round runs, in that order: cells that are measured together."""
        return self.arranged([cell for cell in self.cells if turn < cell.rounds], turn)

    def arranged(self, cells, turn):
        """These cells as parts of round `turn`."""
        if self.by_turns:
            return plan.group_order(cells, turn, self.seed)
        return [[cell] for cell in plan.shuffled(cells, turn, self.seed)]

    def another_fits(self, turn):
        """Whether round `turn` still fits the budget, going by the last one: the first
        takes longer, and the estimate cannot know how slow a machine or a channel is.
        """
        if self.budget is None or turn < FEWEST_ROUNDS or turn < self.last_done:
            return True
        elapsed = self.now() - self.begun
        took = elapsed / turn if self.round_took is None else self.round_took
        return elapsed + took <= self.budget

    def now(self):
        """Seconds of a clock that stands still while the sweep is stopped."""
        return time.monotonic() - self.weft.asleep

    def step(self, part, turn, place):
        """One round of cells that are measured together, but for those that are over.
        The first of them is at this place of the round."""
        places = {cell.name: place + i for i, cell in enumerate(part)}
        left = [cell for cell in part if cell.name not in self.over]
        if left:
            self.progress.step(self.slices, self.cost, name_of(left), turn)
            missing = [cell for cell in left if not self.take_done(cell, turn)]
            if missing:
                self.measure(missing, turn, places)
            if self.interrupt.signal:
                return
        self.slices += len(part)
        self.cost += sum(slice_seconds(cell, turn) for cell in part)

    def take_done(self, cell, turn):
        """Whether it was measured before an interruption."""
        before = self.done.get((cell.name, turn))
        if before:
            self.keep(cell, before, turn)
        return bool(before)

    def measure(self, part, turn, places):
        """Measures all of them, and keeps what they say unless it was cut off."""
        started = datetime.now(timezone.utc)
        limits = [slice_limit(cell, self.patience) for cell in part]
        if self.watch:
            self.watch.begin()
        answers = self.ask_all(part, turn, limits)
        disturbed = self.watch.end() if self.watch else None
        if self.interrupt.signal:
            return  # what was cut off means nothing
        for cell, answer, limit in zip(part, answers, limits):
            entry = record(cell, turn, places[cell.name], started, answer,
                           *self.judged(cell, turn, answer, limit))
            if len(part) > 1:
                entry["group"] = entry["utc"]
            if disturbed:
                entry["disturbed"] = disturbed._asdict()
                if disturbed.why and self.may_reject(cell, turn, entry):
                    reject(entry, disturbed.why)
            self.keep(cell, entry, turn)
            self.sink(entry)

    def judged(self, cell, turn, answer, limit):
        found = judge(answer, limit)
        if found is None and turn > 0:
            return "CRASHED", "refused, though accepted in the rounds before"
        if found is None:
            raise Refused("%s: weft refuses %s: %s" % (
                cell.where, cell.name,
                last_lines(answer.stderr, 1) or "exit status 2"))
        return found

    def may_reject(self, cell, turn, entry):
        """Enough rounds have to be left, and one that measures latency again."""
        if entry["verdict"] not in MEASURED:
            return False
        if turn >= cell.rounds:
            return True
        return (self.rejected.get(cell.name, 0) < cell.rounds - FEWEST_ROUNDS
                and (turn + 1 < cell.rounds or not self.asks_latency(cell, turn)))

    def asks_latency(self, cell, turn):
        return cell.measures_latency(turn) or cell.name in self.owed

    def ask_all(self, part, turn, limits):
        """What the processes of these cells say."""
        if self.by_turns:
            members = [self.member(cell, self.arguments(cell, turn) + ["--turns"], limit)
                       for cell, limit in zip(part, limits)]
            return turns.run(members, max(self.repetitions(cell)[0] for cell in part),
                             lambda one: plan.rotated(list(range(len(part))), one))
        return [self.ask(cell, self.arguments(cell, turn), limit)
                for cell, limit in zip(part, limits)]

    def member(self, cell, args, limit):
        return turns.Member(self.weft, args, limit, enough=cell.time_ms / 1000)

    def ask(self, _cell, args, limit):
        return self.weft.run(args, limit)

    def repetitions(self, cell):
        """(how many, how many ms each is). The first slice has one of plan.first_ms(): it
        tells how many items it takes, and how many tasks there are."""
        if not self.by_turns:
            return 1, cell.time_ms
        if cell.name not in self.crowds:
            return 1, plan.first_ms(cell)
        return plan.turns(cell, self.crowds[cell.name])

    def arguments(self, cell, turn):
        """The command line of one slice, without the binary."""
        args = ["run", cell.pattern,
                "--load=" + cell.load if cell.load else "--chan=" + cell.chan]
        args += ["--%s=%s" % knob for knob in cell.knobs]
        count, each_ms = self.repetitions(cell)
        if cell.name in self.items:
            args.append("--items=%d" % self.turn_items.get(
                cell.name, self.part_of_items(cell, count)))
        args += ["--time=%d" % each_ms, "--reps=%d" % count,
                 "--seed=%d" % self.seed, "--json"]
        if not self.asks_latency(cell, turn):
            args.append("--latency=0")
        else:
            latency_ms = (cell.latency_ms if each_ms == cell.time_ms
                          else plan.latency_ms(cell))
            args += ["--latency-%s=%d" % option for option in (
                ("time", latency_ms), ("items", cell.latency_items)) if option[1]]
        args.append("--cost=%d" % (turn == 0))
        if self.work_rate:
            args.append("--work-rate=%d" % self.work_rate)
        if cell.warms_up:
            args.append("--warmup=%d" % cell.time_ms)
        return args

    def part_of_items(self, cell, parts):
        if cell.name not in self.divisible:
            return self.items[cell.name]
        return allowed(self.items[cell.name] // parts, cell)

    def keep(self, cell, entry, turn):
        """Learns from a slice what the cell's later ones need."""
        verdict, why, rejected = (entry.get(key) for key in ("verdict", "why", "rejected"))
        self.told.setdefault(cell.name, []).append(figures.brief(entry))
        if rejected and turn < cell.rounds:
            self.rejected[cell.name] = self.rejected.get(cell.name, 0) + 1
        if rejected and rejected.get("latency_ns"):
            self.owed.add(cell.name)
        elif entry.get("latency_ns"):
            self.owed.discard(cell.name)
        if verdict not in MEASURED:
            self.over.add(cell.name)
        else:
            self.learn(cell, entry)
        if verdict in BAD:
            self.progress.say("%s %s%s" % (verdict, cell.name,
                                           ": " + why if why else ""))

    def learn(self, cell, entry):
        """From the first slice, rejected or not: what it did, and with how many tasks. If
        it took about as long as it should, more or less of that takes more or less time.
        What was not searched for (it is given, or as much as the pattern wants) stays."""
        if cell.name in self.crowds:
            self.learn_turns(cell, entry)
            return
        self.crowds[cell.name] = plan.tasks_for_each_cpu(entry.get("tasks"), entry.get("cpus"))
        items = (entry.get("params") or {}).get("items")
        if "items" in dict(cell.knobs) or not isinstance(items, int) or items < 1:
            return
        self.items[cell.name] = items
        took = [sample["ns"] / 1e6
                for sample in figures.usable_samples(figures.as_measured(entry))]
        if (self.by_turns and entry.get("items_searched") and took
                and plan.first_ms(cell) / ABOUT < took[0] < cell.time_ms * ABOUT):
            self.divisible.add(cell.name)
            self.items[cell.name] = round(items * cell.time_ms / took[0])

    def learn_turns(self, cell, entry):
        """From the first slice by turns, rejected or not: how many items take as long as
        a turn should. The first slice had one repetition, and where tasks wait for a CPU
        that may be three times as slow as the next."""
        if cell.name in self.turn_items or cell.name not in self.divisible:
            return
        count, each_ms = self.repetitions(cell)
        items = self.part_of_items(cell, count)
        took = figures.figure(figures.as_measured(entry))
        if took:
            wanted = each_ms * 1e6 / took
            self.turn_items[cell.name] = allowed(
                max(items / ABOUT, min(wanted, items * ABOUT)), cell)


def allowed(items, cell):
    """As near to that as the cell may have."""
    return max(1, min(round(items), cell.most_items))


def takes_turns(weft, words=("run", "--help")):
    """Whether this binary, whose help these words print, can measure by turns: older ones
    cannot."""
    return "--turns" in weft.run(list(words), 60).stdout


def name_of(part):
    """Of cells that differ in their channel only."""
    return part[0].name if len(part) == 1 else replace(part[0], chan="*").name


def record(cell, turn, order, started, answer, verdict, why):
    """One line of samples.jsonl: what the binary said, and about the slice.

    The binary's own object comes first; what the sweep knows better (the
    verdict of a crash, above all) replaces its fields.
    """
    line = dict(answer.result or {})
    line.update(
        cell=cell.name, pattern=cell.pattern, chan=cell.chan,
        knobs=dict((key, number(value)) for key, value in cell.knobs),
        verdict=verdict, why=why, round=turn, order=order,
        utc=started.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        exit_status=answer.status, wall_seconds=round(answer.seconds, 6),
        **cell.facts())
    if verdict not in MEASURED:
        line["stderr"] = last_lines(answer.stderr, STDERR_LINES)
    return line


def number(value):
    """Knob values as numbers where they are numbers."""
    found = whole(value)
    return value if found is None else found
