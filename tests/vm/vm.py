#!/usr/bin/env python3
"""Runs a command as root on a kernel of its own, whose only cgroup hierarchy is v2.

The kernel is Debian's package user-mode-linux, an ordinary process: it needs neither KVM nor root.
Inside, / is the host's, read-only; /tmp, /var/tmp and /run are empty and writable; no network but the
loopback interface. The command has this directory and, of the environment, PATH and TANK_*. Its
output, both streams, is ours, and so is its exit status. 99 and the kernel's last words when there
is no status, because the VM did not boot, died, or was ended after --timeout.
"""
import argparse
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
MODULES = ["overlay", "veth", "macvlan", "bridge", "dummy"]
HIDDEN = ["/tmp", "/var/tmp", "/run", "/dev"]  # by what the VM mounts itself
NO_VM = 99


def module_files(kernel, names):
    """The files of these modules and of what they need, in the order to load them."""
    root = next((kernel.parent.parent / "lib/uml/modules").iterdir())
    needs, files = {}, []
    for line in (root / "modules.dep").read_text().splitlines():
        file, _, others = line.partition(":")
        needs[file] = others.split()

    def add(file):
        for other in reversed(needs[file]):
            add(other)
        if str(root / file) not in files:
            files.append(str(root / file))

    for name in names:
        add(next(file for file in needs if file.endswith(f"/{name}.ko")))
    return files


def memory_dir(mebibytes):
    """The VM's memory is a file: in a tmpfs if it fits there."""
    for candidate in ["/dev/shm", tempfile.gettempdir()]:
        if os.access(candidate, os.W_OK):
            room = os.statvfs(candidate)
            if room.f_bavail * room.f_frsize > mebibytes << 20:
                return candidate
    sys.exit(f"cannot find a directory with {mebibytes} MiB for the memory of the VM")


def write_job(job, options, kernel):
    def put(name, strings):
        (job / name).write_bytes(b"".join(os.fsencode(s) + b"\0" for s in strings))

    def hidden(directory):
        return any(pathlib.Path(h) in directory.parents for h in HIDDEN)

    environment = {"HOME": "/tmp", "TMPDIR": "/tmp", "TERM": "dumb", "TANK_IN_VM": "1"}
    environment |= {k: v for k, v in os.environ.items() if k == "PATH" or k.startswith("TANK_")}
    put("modules", module_files(kernel, MODULES))
    put("keep", [str(d) for d in (SOURCE, options.build.resolve()) if hidden(d)])
    put("environment", [f"{k}={v}" for k, v in environment.items()])
    put("directory", [os.getcwd()])
    put("command", options.command)
    shutil.copy(options.build / "tests/vm/init", job / "init")


def boot(job, options, kernel):
    """Until the VM is off. Its second console is our standard output, the first one a log."""
    cpu = random.choice(sorted(os.sched_getaffinity(0)))
    with open(job / "console", "wb") as console:
        vm = subprocess.Popen(
            # It ends with us, however we end.
            ["setpriv", "--pdeathsig", "TERM", str(kernel), f"mem={options.memory}M", "root=/dev/root",
             "rootfstype=hostfs", "rootflags=/", "ro", "quiet", "panic=-1", "con=null", "con0=null,fd:2",
             "con1=null,fd:1", f"uml_dir={job}/", "umid=vm", f"init={job}/init", f"job={job}"],
            stdin=subprocess.DEVNULL, stderr=console, env={"TMPDIR": memory_dir(options.memory), "PATH": "/usr/bin:/bin"},
            # Its processes hand over to each other at each system call: one processor is faster than two.
            # A group of its own, to end all of them.
            preexec_fn=lambda: (os.setpgid(0, 0), os.sched_setaffinity(0, {cpu})))

    def end():
        vm.terminate()
        try:
            vm.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(vm.pid, signal.SIGKILL)
            vm.wait()

    for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(ending, lambda number, _: (end(), sys.exit(128 + number)))
    try:
        vm.wait(options.timeout)
    except subprocess.TimeoutExpired:
        print(f"the VM is ended after {options.timeout} s", file=sys.stderr)
        end()


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--build", type=pathlib.Path, default=SOURCE / "build", help="the build directory (%(default)s)")
    ask.add_argument("--kernel", default="linux.uml", help="of user-mode-linux (%(default)s)")
    ask.add_argument("--memory", type=int, default=1024, help="of the VM, in MiB (%(default)s)")
    ask.add_argument("--timeout", type=int, default=600, help="in seconds (%(default)s)")
    ask.add_argument("command", nargs=argparse.REMAINDER)
    options = ask.parse_args()
    if options.command[:1] == ["--"]:
        options.command = options.command[1:]
    if not options.command:
        ask.error("which command?")
    kernel = shutil.which(options.kernel)
    if kernel is None:
        sys.exit(f"cannot find '{options.kernel}': install the package user-mode-linux")

    with tempfile.TemporaryDirectory(prefix="tank-vm.") as directory:
        job = pathlib.Path(directory)
        write_job(job, options, pathlib.Path(kernel))
        boot(job, options, pathlib.Path(kernel))
        if (job / "status").exists():
            return int((job / "status").read_text())
        print((job / "console").read_text(errors="replace"), file=sys.stderr)
        print("the VM ended without the command's status", file=sys.stderr)
        return NO_VM


sys.exit(main())
