#!/usr/bin/env python3
"""Every public header, as a user of it compiles it: in C17 and in C++17.

    headers_test.py CMAKE BUILD_DIR CC CXX [FLAG...]
    headers_test.py --self-test CC CXX

Installs the build into a scratch folder and takes whatever headers land there,
so that one that is added later is looked at without a word here. Each compiles
alone, all compile together, and a C++ program that has the address of every
function that they declare links with the installed libraries and runs. Warnings
are errors. What is looked at with CC and CXX is looked at with clang and clang++
too where they are here; FLAG is for CC and CXX alone, such as -fsanitize=thread.

Every function of a component is called with NULL and 0 for everything: none
crashes, and those that take a pointer and return an int return -EINVAL.

Exit status 77: pkg-config is not here.
"""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"]
COMMENT = re.compile(r"/\*.*?\*/", re.S)
FUNCTION = re.compile(r"\bWEFT_API\b[^;{}]*?\b(weft_\w+)\s*\(")
#: What it returns, its name and its parameters, of which some are functions.
DECLARATION = re.compile(r"\bWEFT_API\b\s*(?:WEFT_NODISCARD\s*)?([\w\s*]+?)\b(weft_\w+)\s*"
                         r"\(((?:[^()]|\([^()]*\)(?:\([^()]*\))?)*)\)\s*;")


def run(command, **more):
    """The command's output when it failed; "" when it did not."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    return (done.stdout or f"status {done.returncode}") if done.returncode else ""


def headers_of(include):
    """Names as #include <...> takes them."""
    found = []
    for folder, _, files in os.walk(include):
        found += [os.path.relpath(os.path.join(folder, f), include) for f in files if f.endswith(".h")]
    return sorted(found)


def functions_of(include, headers):
    found = []
    for header in headers:
        with open(os.path.join(include, header), encoding="utf-8") as f:
            found += FUNCTION.findall(COMMENT.sub("", f.read()))
    return sorted(set(found))


def compiled(compiler, language, standard, cflags, text):
    command = [*compiler, "-x", language, f"-std={standard}", *WARNINGS, *cflags, "-fsyntax-only", "-"]
    return run(command, input=text)


def check_compiled(compilers, cflags, headers):
    """What is wrong with the headers, one text for each."""
    together = "".join(f"#include <{h}>\n" for h in headers)
    wrong = []
    for compiler, language, standard in compilers:
        for what, text in [(h, f"#include <{h}>\n#include <{h}>\n") for h in headers] + [("all", together)]:
            # So that it is not empty, which -Wpedantic would not have.
            said = compiled(compiler, language, standard, cflags, text + "int is_not_empty;\n")
            if said:
                wrong.append(f"{what}, with {compiler[0]} -std={standard}:\n{said}")
    return wrong


def check_linked(cxx, cflags, libs, headers, functions, where):
    """Whether a C++ program finds every function, and runs."""
    source, program = os.path.join(where, "all.cc"), os.path.join(where, "all")
    with open(source, "w", encoding="utf-8") as f:
        f.writelines(f"#include <{h}>\n" for h in headers)
        f.write("typedef void (*function)();\nstatic function const all[] = {\n")
        f.writelines(f"\treinterpret_cast<function>({name}),\n" for name in functions)
        f.write("};\nint main()\n{\n\tfor (function f : all)\n\t\tif (!f)\n\t\t\treturn 1;\n\treturn 0;\n}\n")
    said = run([*cxx, "-std=c++17", "-Wall", "-Werror", *cflags, "-o", program, source, *libs])
    if not said:
        said = run([program])
    return [f"all together, linked with {cxx[0]}:\n{said}"] if said else []


NOTHING = """
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
%s
static const char *volatile now;
static int wrong;

static void crashed(int sig)
{
	(void)!write(1, now, strlen(now));
	(void)!write(1, " crashes\\n", 9);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void expect(const char *name, int err)
{
	if (err != -EINVAL)
		wrong += printf("%%s returns %%d\\n", name, err) > 0;
}

int main(void)
{
	signal(SIGSEGV, crashed);
	signal(SIGBUS, crashed);
	signal(SIGABRT, crashed);
%s
	return wrong != 0;
}
"""


def nothing_for(parameter):
    """What is passed for it."""
    struct = re.fullmatch(r"\s*struct\s+(\w+)\s+\w+\s*", parameter)
    return "(struct %s){ 0 }" % struct[1] if struct else "0"


def calls_of(include, headers):
    """A statement for each function: it is called with nothing."""
    calls = []
    for header in headers:
        with open(os.path.join(include, header), encoding="utf-8") as f:
            text = re.sub(r"(?m)^\s*#.*$", "", COMMENT.sub("", f.read()).replace("\\\n", " "))
        for returned, name, parameters in DECLARATION.findall(text):
            # Commas inside of parentheses are of a function's own parameters.
            flat = re.sub(r"\([^()]*\)\s*\([^()]*\)", "*", parameters)
            call = "%s(%s)" % (name, ", ".join(map(nothing_for, flat.split(","))))
            calls.append('now = "%s"; ' % name + ('expect(now, %s);' % call
                         if returned.split() == ["int"] and "*" in flat else "(void)%s;" % call))
    return calls


def check_nothing(cc, cflags, libs, include, headers, where):
    source, program = os.path.join(where, "nothing.c"), os.path.join(where, "nothing")
    with open(source, "w", encoding="utf-8") as f:
        f.write(NOTHING % ("".join(f"#include <{h}>\n" for h in headers),
                           "\n".join("\t" + call for call in calls_of(include, headers))))
    said = run([*cc, "-std=gnu17", *cflags, "-o", program, source, *libs])
    if not said:
        said = run([program])
    return [f"called with NULL and 0 for everything:\n{said}"] if said else []


def clang_beside(cc, cxx):
    """clang and clang++, unless they are what was given."""
    both = shutil.which("clang"), shutil.which("clang++")
    if all(both) and "clang" not in os.path.basename(cc) and "clang" not in os.path.basename(cxx):
        return [([both[0]], "c", "c17"), ([both[1]], "c++", "c++17")]
    return []


def pkg_config(prefix, *asked):
    for folder, _, files in os.walk(prefix):
        if "weft.pc" in files:
            text = subprocess.run(["pkg-config", *asked, "weft"], check=True, stdout=subprocess.PIPE, text=True,
                                  env={**os.environ, "PKG_CONFIG_PATH": folder}).stdout
            return shlex.split(text)
    sys.exit("weft.pc was not installed")


def check_installed(cmake, build, cc, cxx, flags):
    if not shutil.which("pkg-config"):
        sys.exit(77)
    with tempfile.TemporaryDirectory() as where:
        prefix = os.path.join(where, "weft")
        said = run([cmake, "--install", build, "--prefix", prefix])
        if said:
            sys.exit(f"cannot install:\n{said}")
        cflags, libs = pkg_config(prefix, "--cflags"), pkg_config(prefix, "--libs", "--static")
        include = os.path.join(prefix, "include")
        headers = headers_of(include)
        functions = functions_of(include, headers)
        print(f"{len(headers)} headers, {len(functions)} functions")
        wrong = check_compiled([([cc], "c", "c17"), ([cxx], "c++", "c++17"), *clang_beside(cc, cxx)], cflags, headers)
        wrong += check_linked([cxx, *flags], cflags, libs, headers, functions, where)
        components = [h for h in headers if h.startswith("weft/patterns/")]
        wrong += check_nothing([cc, *flags], cflags, libs, include, components, where)
        calls = calls_of(include, components)
        if len(calls) != len(functions_of(include, components)):
            wrong.append(f"{len(calls)} calls of all functions of components\n")
    return wrong


def self_test(cc, cxx):
    """A check that cannot fail is no check."""
    good = "#ifdef __cplusplus\nextern \"C\" {\n#endif\nint weft_f(int);\n#ifdef __cplusplus\n}\n#endif\n"
    # What stands in the header, and whether it compiles.
    cases = {
        good: True,
        "struct weft_s { _Alignas(64) char c; };\n" + good: False,
        "static inline struct weft_p { int x; } weft_p(void) { return (struct weft_p){ .x = 1 }; }\n": False,
        "int weft_new(int new);\n": False,
        "weft_unknown weft_g(void);\n": False,
        "int weft_twice = 1;\n": False,
    }
    with tempfile.TemporaryDirectory() as where:
        os.mkdir(os.path.join(where, "weft"))
        header = os.path.join(where, "weft", "x.h")
        compilers = [([cc], "c", "c17"), ([cxx], "c++", "c++17")]
        for text, is_good in cases.items():
            with open(header, "w", encoding="utf-8") as f:
                f.write(text)
            if (not check_compiled(compilers, [f"-I{where}"], headers_of(where))) != is_good:
                sys.exit(f"{'refused' if is_good else 'not found'}: {text}")
        # Without extern "C" it compiles and does not link.
        library = os.path.join(where, "x.o")
        said = run([cc, "-x", "c", "-c", "-o", library, "-"], input="int weft_f(int n) { return n; }\n")
        for text in good, "int weft_f(int);\n":
            with open(header, "w", encoding="utf-8") as f:
                f.write(text)
            said = said or check_linked([cxx], [f"-I{where}"], [library], ["weft/x.h"], ["weft_f"], where)
            if bool(said) == (text == good):
                sys.exit(f"linking, with {text}: {said}")
        # One that takes NULL for anything, and one that crashes.
        shape = "struct weft_s { int n; };\n#define WEFT_API extern\nWEFT_API int weft_f(struct weft_s *s, void (*g)(int, int));\n"
        with open(header, "w", encoding="utf-8") as f:
            f.write(shape)
        for body, is_good in ("s ? 0 : -22", True), ("s ? -22 : 0", False), ("s->n - 22", False):
            said = run([cc, "-x", "c", "-c", "-o", library, "-"], input="struct weft_s { int n; };\n"
                       "int weft_f(struct weft_s *s, void (*g)(int, int)) { (void)g; return %s; }\n" % body)
            if said or bool(check_nothing([cc], [f"-I{where}"], [library], where, ["weft/x.h"], where)) == is_good:
                sys.exit(f"called with nothing: {body}")
        if functions_of(where, []) != [] or FUNCTION.findall("WEFT_API WEFT_NODISCARD int\nweft_f(int (*weft_g)(void));"
                                                             "static int weft_h(void);") != ["weft_f"]:
            sys.exit("functions are not found")
    return []


def main():
    if sys.argv[1] == "--self-test":
        wrong = self_test(*sys.argv[2:])
    else:
        wrong = check_installed(*sys.argv[1:5], sys.argv[5:])
    print("\n".join(wrong), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
