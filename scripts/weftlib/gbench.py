"""Google Benchmark's JSON, for the tools that read it.

One `iteration` row per round (the turns of one are not independent) and one `median` row
per cell. Times are nanoseconds per message. Counters are plain numeric fields. A cell that went
wrong is a row with `error_occurred`; a cell that is impossible (N/A) has no
row, because many readers ignore that field and would see a time of 0.
"""

from . import figures
from .binary import MEASURED
from .context import UNKNOWN, cpu_slug

BAD_ROW = {"iterations": 0, "real_time": 0.0, "cpu_time": 0.0, "time_unit": "ns"}


def build(summary, records, executable):
    """The whole document as plain data."""
    slices = {}
    for entry in records:
        slices.setdefault(entry["cell"], []).append(entry)
    rows, families = [], {}
    for cell in summary["cells"]:
        if cell["verdict"] == "N/A":
            continue
        family = families.setdefault((cell["pattern"], cell["chan"]),
                                     [len(families), -1])
        family[1] += 1
        head = {"family_index": family[0], "per_family_instance_index": family[1]}
        rows += cell_rows(cell, slices[cell["name"]], head)
    return {"context": context(summary["context"], executable), "benchmarks": rows}


def context(run, executable):
    """The fields readers expect, then what they do not know but may show.

    The host's name is left out on purpose: results are made to be shared.
    """
    mhz, load = run.get("cpu_mhz"), run.get("load_before")
    governor = run.get("governor") or UNKNOWN
    release = "debug" not in str(run.get("build_type", "")).lower()
    return {
        "date": run["started"], "host_name": cpu_slug(run),
        "executable": executable, "num_cpus": run.get("cpus_online"),
        "mhz_per_cpu": round(mhz) if isinstance(mhz, float) else 0,
        "cpu_scaling_enabled": governor not in (UNKNOWN, "performance"),
        "caches": run.get("caches") or [],
        "load_avg": load if isinstance(load, list) else [],
        "library_build_type": "release" if release else "debug",
        "weft_version": run.get("weft_version"), "weft_partial": run.get("partial"),
        "weft_governor": governor, "weft_seed": run.get("seed"),
        "weft_commit": run["git"]["commit"], "weft_dirty": run["git"].get("dirty"),
    }


def cell_rows(cell, slices, head):
    base = {"name": cell["name"], **head, "run_name": cell["name"],
            "threads": cell.get("tasks") or 1}
    if cell["verdict"] not in MEASURED:
        message = cell["verdict"] + (": " + cell["why"] if cell["why"] else "")
        return [{**base, "run_type": "iteration", "repetitions": len(slices),
                 "repetition_index": 0, "error_occurred": True,
                 "error_message": message, **BAD_ROW}]
    rounds = [entry for entry in slices if figures.figure(entry)]
    rows = [{**base, "run_type": "iteration", "repetitions": len(rounds),
             "repetition_index": index, **round_fields(entry)}
            for index, entry in enumerate(rounds)]
    if len(rounds) > 1:
        rows.append(median_row(cell, base, len(rounds)))
    return rows


def round_fields(entry):
    time = figures.figure(entry)
    cpu = figures.cost(entry, "cpu_seconds") or 0.0
    return {"iterations": figures.messages(entry), "real_time": time,
            "cpu_time": cpu * 1e9, "time_unit": "ns", "items_per_second": 1e9 / time}


def median_row(cell, base, rounds):
    """The aggregate row, with latency and cost as counters."""
    counters = {"items_per_second": cell["messages_per_second"]["median"]}
    for key in ("p50", "p90", "p99", "p999", "max"):
        counters["latency_%s_ns" % key] = (cell["latency_ns"] or {}).get(key)
    kept_up = (cell["latency_ns"] or {}).get("kept_up")
    counters["latency_kept_up"] = None if kept_up is None else int(kept_up)
    for key in ("voluntary_switches_per_message",
                "involuntary_switches_per_message",
                "parks_per_message", "wakes_per_message", "peak_rss_bytes"):
        counters[key] = cell[key]
    cpu = cell["cpu_seconds_per_million_messages"]
    return {**base, **label(cell),
            "name": cell["name"] + "_median", "run_type": "aggregate",
            "repetitions": rounds, "aggregate_name": "median",
            "aggregate_unit": "time", "iterations": rounds,
            "real_time": cell["ns_per_message"]["median"],
            "cpu_time": (cpu or 0.0) * 1e3, "time_unit": "ns",
            **{key: value for key, value in counters.items() if value is not None}}


def label(cell):
    """Google Benchmark's word for it: what the latency is, unless an open loop's."""
    found = cell["latency_ns"]
    if not found or found.get("load") is not None or not found.get("kind"):
        return {}
    return {"label": "latency: " + found["kind"]}
