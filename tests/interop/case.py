"""Cases that print like doctest's, so that scripts/test counts them."""
import sys
import traceback

_cases = []


def case(what):
    def add(run):
        _cases.append((what, run))
        return run

    return add


def check(true, why):
    if not true:
        raise AssertionError(why)


def run_all():
    failed = 0
    for what, run in _cases:
        try:
            run()
        except Exception:  # noqa: BLE001 - a case may fail in any way
            failed += 1
            print(f"TEST CASE:  {what}\n\n{traceback.format_exc()}", flush=True)
    passed = len(_cases) - failed
    print(f"[doctest] test cases: {len(_cases)} | {passed} passed | {failed} failed | 0 skipped")
    sys.exit(1 if failed else 0)


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)
