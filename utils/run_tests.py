#!/usr/bin/env python3
# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Runs ctest in a build folder and counts single test cases: those of a
# GoogleTest program and of the lit suite one by one, any other ctest test as
# one. Names what failed and what was skipped; the last line is the count.
"""usage: run_tests.py BUILD_FOLDER [ctest arguments]"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml


class Count:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def line(self):
        return (f"{self.passed} passed, {len(self.failed)} failed, "
                f"{len(self.skipped)} skipped")

    def add_xunit(self, suite, path):
        """Cases of a JUnit file as lit writes it."""
        for case in xml.parse(path).iter("testcase"):
            name = f"{suite}: {case.get('classname')}/{case.get('name')}"
            skipped = case.find("skipped")
            if skipped is not None:
                self.skipped.append(f"{name} ({skipped.get('message')})")
            elif case.find("failure") is not None:
                self.failed.append(name)
            else:
                self.passed += 1

    def add_gtest(self, program, path):
        """Cases of a GoogleTest JSON file."""
        for suite in json.loads(path.read_text())["testsuites"]:
            for case in suite["testsuite"]:
                name = f"{program}: {suite['name']}.{case['name']}"
                if case.get("failures"):
                    self.failed.append(name)
                elif case.get("result") == "SKIPPED":
                    why = " ".join(s.get("message", "").strip()
                                   for s in case.get("skipped", []))
                    self.skipped.append(f"{name} ({why})" if why else name)
                elif case.get("status") == "NOTRUN":
                    self.skipped.append(f"{name} (disabled)")
                else:
                    self.passed += 1

    def add_ctest(self, junit, results):
        """Every test of ctest's own JUnit file, in detail where there is one.

        A program that fails without a failed case (a crash, a time-out, no
        result file) counts as one failure more.
        """
        for case in xml.parse(junit).iter("testcase"):
            name, status = case.get("name"), case.get("status")
            if status in ("notrun", "disabled"):
                skipped = case.find("skipped")
                message = "" if skipped is None else skipped.get("message", "")
                if status == "notrun" and "SKIP_" not in message:
                    self.failed.append(f"{name} (not run: {message})")
                else:
                    self.skipped.append(f"{name} ({message or status})")
                continue
            failed = len(self.failed)
            detail = True
            if (results / f"{name}.json").exists():
                self.add_gtest(name, results / f"{name}.json")
            elif (results / f"{name}.xml").exists():
                self.add_xunit(name, results / f"{name}.xml")
            else:
                detail = False
            if status == "fail":
                if not detail or len(self.failed) == failed:
                    self.failed.append(name)
            elif not detail:
                self.passed += 1


def run(build, arguments):
    results = build / "test-results"
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    junit = results / "ctest.junit"
    # GoogleTest writes FOLDER/PROGRAM.json; ctest's names are the programs'.
    environment = dict(os.environ, GTEST_OUTPUT=f"json:{results}/")
    code = subprocess.run(
        ["ctest", "--test-dir", str(build), "--output-on-failure",
         "--no-tests=error", "-j", str(os.cpu_count() or 1),
         "--output-junit", str(junit)] + arguments,
        env=environment, stdin=subprocess.DEVNULL).returncode
    count = Count()
    if junit.exists():
        count.add_ctest(junit, results)
    if code != 0 and not count.failed:
        count.failed.append(f"ctest (exit code {code})")
    report(count)
    return 1 if count.failed or not count.passed else 0


def report(count):
    for title, names in (("skipped", count.skipped), ("failed", count.failed)):
        for name in names:
            print(f"{title}: {name}")
    print(count.line(), flush=True)


GTEST = {"testsuites": [{"name": "A", "testsuite": [
    {"name": "good", "status": "RUN", "result": "COMPLETED"},
    {"name": "bad", "status": "RUN", "result": "COMPLETED",
     "failures": [{"failure": "x"}]},
    {"name": "skip", "status": "RUN", "result": "SKIPPED"},
    {"name": "off", "status": "NOTRUN", "result": "SUPPRESSED"}]}]}
LIT = """<testsuites><testsuite>
<testcase classname="c" name="good"/>
<testcase classname="c" name="bad"><failure/></testcase>
<testcase classname="c" name="none"><skipped message="needs x"/></testcase>
</testsuite></testsuites>"""
CTEST = """<testsuite>
<testcase name="unit" status="fail"/>
<testcase name="lit" status="fail"/>
<testcase name="plain" status="run"/>
<testcase name="crash" status="fail"/>
<testcase name="quiet" status="fail"/>
<testcase name="absent" status="notrun"><skipped message="Not found"/></testcase>
<testcase name="off" status="disabled"/>
</testsuite>"""


def self_test():
    """Counts of made-up result files."""
    with tempfile.TemporaryDirectory() as folder:
        results = pathlib.Path(folder)
        (results / "unit.json").write_text(json.dumps(GTEST))
        clean = {"testsuites": [{"name": "Q", "testsuite": [
            {"name": "q", "status": "RUN", "result": "COMPLETED"}]}]}
        (results / "quiet.json").write_text(json.dumps(clean))
        (results / "lit.xml").write_text(LIT)
        (results / "ctest.junit").write_text(CTEST)
        count = Count()
        count.add_ctest(results / "ctest.junit", results)
    report(count)
    # passed: unit 1, lit 1, plain, quiet's case; failed: unit 1, lit 1, crash,
    # quiet itself, absent; skipped: unit 2, lit 1, off.
    return 0 if count.line() == "4 passed, 5 failed, 4 skipped" else 1


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    return run(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
