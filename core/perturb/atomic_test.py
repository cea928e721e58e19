#!/usr/bin/env python3
"""The hooks in weft/atomic.h cost nothing where they are off: each macro compiles to
the same instructions as the operation of C11 that its name says, and the library
knows of no perturber. With the hooks on, none does.

    atomic_test.py INCLUDE_DIR LIBRARY CC
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ORDERS = ("relaxed", "acquire", "release", "acq_rel", "seq_cst")

#: What a failed compare and exchange has, by the order of one that succeeds.
FAILURE = {"relaxed": "relaxed", "acquire": "acquire", "release": "relaxed",
           "acq_rel": "acquire", "seq_cst": "seq_cst"}


def expected(name):
    """The same in C11, of parameters p, expected and v."""
    order = next(o for o in sorted(ORDERS, key=len, reverse=True) if name.endswith("_" + o))
    what = name[len("weft_"):-len(order) - 1]
    order = "memory_order_" + order
    if what == "load":
        return "atomic_load_explicit(p, %s)" % order
    if what.startswith("cas"):
        weak = what == "cas_weak"
        fail = FAILURE[order[len("memory_order_"):]]
        if weak and fail == "acquire" and order.endswith("acquire"):
            fail = "relaxed"
        return "atomic_compare_exchange_%s_explicit(p, expected, v, %s, memory_order_%s)" % (
            "weak" if weak else "strong", order, fail)
    call = {"store": "store", "xchg": "exchange"}.get(what, what)
    return "atomic_%s_explicit(p, v, %s)" % (call, order)


def function(name, parameters, expression):
    returns = "void" if "_store_" in name else "bool" if "_cas_" in name else "uint64_t"
    types = {"p": "_Atomic uint64_t *p", "expected": "uint64_t *expected", "v": "uint64_t v"}
    return "%s f_%s(%s);\n%s f_%s(%s) { %s%s; }\n" % (
        (returns, name, ", ".join(types[p] for p in parameters)) * 2 +
        ("" if returns == "void" else "return ", expression))


def assembly(cc, include, text, *flags):
    """{function: its instructions}"""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "x.c")
        source.write_text("#include <weft/atomic.h>\n" + text)
        done = subprocess.run([cc, "-std=gnu17", "-O2", "-S", "-o", "-", "-I", include,
                               *flags, str(source)], capture_output=True, text=True, check=True)
    functions, name = {}, None
    for line in done.stdout.splitlines():
        if re.match(r"f_\w+:", line):
            name = line.rstrip(":").split(":")[0]
            functions[name] = []
        elif name and re.match(r"\s+[a-z]", line):
            functions[name].append(line.split("#")[0].strip())
    return functions


def main():
    include, library, cc = sys.argv[1:]
    header = Path(include, "weft/atomic.h").read_text()
    macros = re.findall(r"#define (weft_\w+)\(([^)]+)\)", header)
    macros = [(n, [p.strip() for p in ps.split(",")]) for n, ps in macros
              if n.endswith(tuple("_" + o for o in ORDERS))]
    if len(macros) < 30:
        sys.exit("weft/atomic.h has only %d operations?" % len(macros))
    ours = "".join(function(n, ps, "%s(%s)" % (n, ", ".join(ps))) for n, ps in macros)
    c11 = "".join(function(n, ps, expected(n)) for n, ps in macros)
    plain = assembly(cc, include, c11)
    off = assembly(cc, include, ours)
    on = assembly(cc, include, ours, "-DWEFT_PERTURB")
    if len(plain) != len(macros):
        sys.exit("%d of %d functions were compiled" % (len(plain), len(macros)))
    bad = ["%s: %d instructions, and not %d:\n    %s" % (n, len(off[n]), len(plain[n]),
                                                        "\n    ".join(off[n]))
           for n in plain if off[n] != plain[n]]
    bad += ["%s has no hook" % n for n in plain if on[n] == plain[n]]
    names = subprocess.run(["nm", library], capture_output=True, text=True).stdout
    if "weft_perturb" in names:
        bad.append("%s knows of a perturber" % library)
    if bad:
        sys.exit("\n".join(bad))


if __name__ == "__main__":
    main()
