"""Mutation testing: small errors are put into the code, one at a time, and the plain tests must notice (make mutants).

A mutant is the code with one operator, comparison or constant exchanged; cosmic-ray makes it. A place is drawn evenly from all
places of the modules, then what is put there; what does not compile is dropped. Left out is what no result depends on: annotations,
decorators, docstrings, `raise` statements, and `strict=True`, which like them only guards against wrong use. Every mutant runs in a
copy of the tree, never in the tree: first the test file of its module, then those that import it, those of its room, and all others
that reach it through imports, the nearest first, up to the first failure. A mutant that takes many times as long as the code does,
which is measured first, is killed as well, by time-out: nobody would wait for it.

    python tests/mutants.py --count 200 --seed 0            # over all ROOMS
    python tests/mutants.py uhop_cli/kernel --only 3 17     # two mutants of the same draw once more
"""

from __future__ import annotations

import argparse
import ast
import difflib
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ["evidence", "retrieval", "kernel", "querying", "memory", "experiments/methods"]
LEAST = 0.85  # share of the mutants that must be killed
LONGER = 10  # times the seconds without a mutant that tests may take with one,
START = 60  # and so many more: processes start, and others may use the machine

# Exchanges that leave a program that runs: an ordering for an ordering, arithmetic for arithmetic; `x >> y` of floats dies at once,
# and an ordering in the place of an equality, of words mostly, is no slip that anybody makes.
FAMILIES = ["Add Sub Mul Div FloorDiv Mod Pow", "BitAnd BitOr BitXor", "Eq NotEq", "Lt LtE Gt GtE", "Is IsNot"]
SINGLE = {"NumberReplacer", "ReplaceAndWithOr", "ReplaceOrWithAnd", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue"} | {
    f"ReplaceUnaryOperator_{exchange}" for exchange in ("Delete_Not", "Delete_USub", "Delete_Invert", "USub_UAdd")
}

Position = tuple[int, int]


@dataclass(frozen=True)
class Mutant:
    """One exchange at one place: the text of the module with it, and the difference to the module."""

    number: int
    module: str
    line: int
    text: str
    diff: str


@dataclass(frozen=True)
class Outcome:
    """What the tests made of a mutant: killed, survived or timed out, the test that failed, and how long each file took."""

    verdict: str
    killer: str
    seconds: float
    of_files: dict[str, float]


def is_wanted(operator: str) -> bool:
    """Whether the exchange is one of `SINGLE` or stays inside one of `FAMILIES`."""
    name = operator.removeprefix("core/")
    parts = re.fullmatch(r"Replace(?:Binary|Comparison)Operator_(\w+)_(\w+)", name)
    return name in SINGLE or (parts is not None and any(set(parts.groups()) <= set(family.split()) for family in FAMILIES))


def left_out(source: str) -> list[tuple[Position, Position]]:
    """Start and end (line, column) of all parts that are not mutated."""
    lines = source.splitlines()

    def position(line: int, column: int) -> Position:
        return line, len(lines[line - 1].encode()[:column].decode())  # ast counts bytes

    parts: list[ast.AST | None] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise | ast.Assert):
            parts.append(node)
        elif isinstance(node, ast.AnnAssign | ast.arg):
            parts.append(node.annotation)
        elif isinstance(node, ast.keyword) and node.arg == "strict":
            parts.append(node)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            parts += [*node.decorator_list, node.returns if isinstance(node, ast.FunctionDef) else None]
    type_aliases = [node.value for node in ast.parse(source).body if isinstance(node, ast.Assign) and is_type(node.value)]
    spans = [
        (position(node.lineno, node.col_offset), position(node.end_lineno, node.end_col_offset))
        for node in [*parts, *type_aliases]
        if node is not None
    ]
    return spans + [(position(*begin), position(*end)) for begin, end in stars(source)]


def stars(source: str) -> Iterator[tuple[Position, Position]]:
    """Between which (line, byte) the `*` stands that keyword-only parameters begin with: a `/` there would be Python too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.args.kwonlyargs and not node.args.vararg:
            before = [(part.end_lineno, part.end_col_offset) for part in (*node.args.args, *node.args.defaults)]
            first = node.args.kwonlyargs[0]
            yield max(before, default=(node.lineno, node.col_offset)), (first.lineno, first.col_offset)


def is_type(node: ast.AST) -> bool:
    """Whether a module's constant is a union of types."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)


def places(source: str) -> dict[Position, list[tuple[str, int]]]:
    """Place -> operators of cosmic-ray that change it, each with its occurrence."""
    closed = left_out(source)
    nodes = list(ast_nodes(get_ast(source)))
    found = defaultdict(list)
    for name in filter(is_wanted, sorted(operator_names())):
        operator = get_operator(name)()
        starts = [start for node in nodes for start, _ in operator.mutation_positions(node)]
        for occurrence, start in enumerate(starts):
            if not any(first <= start < last for first, last in closed):
                found[start].append((name, occurrence))
    return found


def draw(modules: list[str], count: int, seed: int) -> list[Mutant]:
    """Mutants at `count` different places, less those that do not compile; the same for the same modules and seed."""
    choice = random.Random(seed)
    sources = {module: (ROOT / module).read_text(encoding="utf-8") for module in modules}
    every = [(module, place, options) for module in modules for place, options in sorted(places(sources[module]).items())]
    mutants = []
    for number, (module, (line, _), options) in enumerate(choice.sample(every, min(count, len(every)))):
        name, occurrence = choice.choice(options)
        text = mutate_code(sources[module], get_operator(name)(), occurrence)
        diff = difflib.unified_diff(sources[module].splitlines(), text.splitlines(), module, module, lineterm="", n=0)
        if compiles(text):
            mutants.append(Mutant(number, module, line, text, "\n".join(list(diff)[2:])))
    return mutants


def compiles(source: str) -> bool:
    """Whether it is Python: `*` between parameters is no operator."""
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def imports(path: Path) -> Iterator[str]:
    """Modules of the package that a file imports, as paths; a name imported from a package may be a module of it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (f"{name.replace('.', '/')}.py" for name in names if name.startswith("uhop_cli."))


def tests_of(module: str, users: dict[str, set[str]], near: bool) -> list[str]:
    """Test files that concern a module: its own, those that import it, its room's, then (unless `near`) the others by distance."""
    inside = Path(module).relative_to("uhop_cli")
    room = Path("tests", inside.parent)
    own = room / f"test_{inside.name}"
    found = [str(own)] if (ROOT / own).exists() else []
    found += sorted(name for name in users[module] if name.startswith("tests/"))
    found += sorted(str(path.relative_to(ROOT)) for path in (ROOT / room).glob("test_*.py"))
    reached, frontier = {module}, {module}
    while frontier and not near:
        frontier = set().union(*(users[name] for name in frontier)) - reached
        reached |= frontier
        found += sorted(name for name in frontier if name.startswith("tests/"))
    return list(dict.fromkeys(found))


def copy_tree(folder: Path) -> None:
    """Copies what git would commit, and compiles it such that a change is seen by content, not by time and size."""
    listed = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    command = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "uhop_cli"]
    subprocess.run(command, cwd=folder, check=True)


def run_tests(folder: Path, tests: list[str], limit: float = math.inf) -> Outcome:
    """Runs test files in a copy until one fails, or until `limit` seconds are over.

    Raises:
        SystemExit: pytest did not run at all.
    """
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "--durations=0", "-p", "no:cacheprovider"]
    command += ["--hypothesis-seed=0", "--hypothesis-profile=any failure", f"--basetemp={folder}.temporary", *tests]
    began = time.monotonic()
    report = folder / "report.txt"  # no pipe, which a process that a test left behind would keep open
    with report.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        in_time = ends(process, limit)
        if not in_time:
            os.killpg(process.pid, signal.SIGKILL)  # with what the tests started
            process.wait()
    output = report.read_text(encoding="utf-8", errors="replace")
    if in_time and process.returncode not in (0, 1, 2, 3, 4):  # 2 and 4: a test file or conftest.py cannot be imported
        raise SystemExit(output)
    killer = re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    of_files: dict[str, float] = defaultdict(float)
    for seconds, file in re.findall(r"^ *([\d.]+)s (?:setup|call|teardown) +([^:\n]+)::", output, re.MULTILINE):
        of_files[file] += float(seconds)
    verdict = "timed out" if not in_time else "survived" if process.returncode == 0 else "killed"
    return Outcome(verdict, killer[1] if killer else "", time.monotonic() - began, of_files)


def ends(process: subprocess.Popen[bytes], limit: float) -> bool:
    """Whether a process ends within so many seconds. Those in which this program stood still as well do not count."""
    while limit > 0:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)
            return True
        limit -= 1
    return False


def test_mutant(mutant: Mutant, tests: list[str], of_files: dict[str, float], copies: SimpleQueue[Path]) -> Outcome:
    """Puts a mutant into a copy of the tree, runs the tests there and puts the module back.

    The first test file is run for itself: where a mutant is endless, its time is soon over.
    """
    folder, began, outcome = copies.get(), time.monotonic(), Outcome("survived", "", 0, {})
    try:
        (folder / mutant.module).write_text(mutant.text, encoding="utf-8")
        for some in filter(None, (tests[:1], tests[1:])):
            outcome = run_tests(folder, some, START + LONGER * sum(of_files.get(file, 0) for file in some))
            if outcome.verdict != "survived":
                break
        return replace(outcome, seconds=time.monotonic() - began)
    finally:
        shutil.copyfile(ROOT / mutant.module, folder / mutant.module)
        copies.put(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", default=[f"uhop_cli/{room}" for room in ROOMS], help="modules or folders to mutate")
    parser.add_argument("--count", type=int, default=200, help="mutants to draw (default 200)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw and of the tests (default 0)")
    parser.add_argument("--only", type=int, nargs="+", help="run these numbers of the draw alone")
    parser.add_argument("--near", action="store_true", help="run only tests that import the module or stand in its room")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at once (default 1)")
    options = parser.parse_args()

    given = [ROOT / path for path in options.paths]
    files = sorted({file for path in given for file in ([path] if path.is_file() else path.rglob("*.py"))})
    mutants = draw([str(file.relative_to(ROOT)) for file in files], options.count, options.seed)
    mutants = [mutant for mutant in mutants if not options.only or mutant.number in options.only]
    users: dict[str, set[str]] = defaultdict(set)
    for path in [*ROOT.glob("uhop_cli/**/*.py"), *ROOT.glob("tests/**/test_*.py")]:
        if not {"acceptance", "benchmarks", "stress"} & set(path.parts):  # not among the plain tests
            for name in imports(path):
                users[name].add(str(path.relative_to(ROOT)))
    tests = {module: tests_of(module, users, options.near) for module in {mutant.module for mutant in mutants}}

    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="uhop-mutants-") as scratch:
        copies: SimpleQueue[Path] = SimpleQueue()
        for job in range(options.jobs):
            copy_tree(Path(scratch, str(job)))
            copies.put(Path(scratch, str(job)))
        unchanged = run_tests(Path(scratch, "0"), sorted(set().union(*tests.values())))
        if unchanged.verdict != "survived":
            raise SystemExit(f"the tests fail without a mutant: {unchanged.killer}")
        with ThreadPoolExecutor(options.jobs) as pool:
            of_files = unchanged.of_files
            runs = {pool.submit(test_mutant, mutant, tests[mutant.module], of_files, copies): mutant for mutant in mutants}
            for run in as_completed(runs):
                mutant, outcome = runs[run], run.result()
                counts[outcome.verdict] += 1
                place = f"{mutant.module}:{mutant.line}"
                print(f"{mutant.number:4d} {outcome.verdict:9s} {outcome.seconds:5.0f} s  {place}  {outcome.killer}", flush=True)
                if outcome.verdict != "killed":
                    print(mutant.diff, flush=True)
    rate = 1 - counts["survived"] / counts.total()
    print(f"{counts.total()} mutants: " + ", ".join(f"{counts[name]} {name}" for name in ("killed", "timed out", "survived")))
    print(f"kill rate, time-outs with it, {rate:.3f} (at least {LEAST})")
    return int(rate < LEAST)


if __name__ == "__main__":
    sys.exit(main())
