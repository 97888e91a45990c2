#!/usr/bin/env python3
"""One static program, the witness, run by `podman run` and by Tank with the settings that mean the
same: its reports must be equal, field by field, but for what podman_differences.py lists and
justifies. What is listed and is no difference (any more) is a failure too.

As root, in a mount namespace of its own. TANK_PROGRAM, TANK_SHIM, TANK_WITNESS and TANK_SECCOMP (our default profile) are named by the build.
"""
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile

from case import case, check, run_all, skip
from podman_differences import DIFFERENCES
from report import differences, flatten

TANK = os.environ["TANK_PROGRAM"]
IMAGE = "localhost/witness:1"
# Docker's fourteen, which are Tank's and containerd's default.
CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "NET_BIND_SERVICE",
                "NET_RAW", "SYS_CHROOT", "MKNOD", "AUDIT_WRITE", "SETFCAP"]
PROFILE = """{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
  {"names": ["getpriority", "personality", "mbind"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99}]}"""

# name: (options of podman run, lines of the container, lines of the pod's spec)
CASES = {
    "default": ([], "", ""),
    "runAsUser": (["--user", "1000"], "securityContext: {runAsUser: 1000}", ""),
    "runAsUser and runAsGroup": (["--user", "1000:2000"], "securityContext: {runAsUser: 1000, runAsGroup: 2000}", ""),
    "an unknown user": (["--user", "4321"], "securityContext: {runAsUser: 4321}", ""),
    "supplementalGroups": (["--group-add", "3000", "--group-add", "4000"], "",
                           "securityContext: {supplementalGroups: [3000, 4000]}"),
    "fsGroup": (["--user", "1000", "--group-add", "3000"], "",
                "securityContext: {runAsUser: 1000, fsGroup: 3000}"),
    "capabilities: add": (["--cap-add", "NET_ADMIN,SYS_TIME"],
                          "securityContext: {capabilities: {add: [NET_ADMIN, SYS_TIME]}}", ""),
    "capabilities: add SYS_ADMIN": (["--cap-add", "SYS_ADMIN"], "securityContext: {capabilities: {add: [SYS_ADMIN]}}", ""),
    "capabilities: drop ALL": (["--cap-drop", "ALL"], "securityContext: {capabilities: {drop: [ALL]}}", ""),
    "capabilities: drop some": (["--cap-drop", "CHOWN,NET_RAW"],
                                "securityContext: {capabilities: {drop: [CHOWN, NET_RAW]}}", ""),
    "capabilities: drop ALL, add one": (["--cap-drop", "ALL", "--cap-add", "NET_BIND_SERVICE"],
                                        "securityContext: {capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}}", ""),
    "capabilities: drop, as another user": (["--user", "1000", "--cap-drop", "SETUID"],
                                            "securityContext: {runAsUser: 1000, capabilities: {drop: [SETUID]}}", ""),
    "readOnlyRootFilesystem": (["--read-only", "--read-only-tmpfs=false"],
                               "securityContext: {readOnlyRootFilesystem: true}", ""),
    "allowPrivilegeEscalation: false": (["--security-opt", "no-new-privileges"],
                                        "securityContext: {allowPrivilegeEscalation: false}", ""),
    # With --privileged podman has no filter but a configured one.
    "privileged": (["--privileged", "--security-opt", "seccomp=unconfined"], "securityContext: {privileged: true}", ""),
    "privileged, as another user": (["--privileged", "--security-opt", "seccomp=unconfined", "--user", "1000"],
                                    "securityContext: {privileged: true, runAsUser: 1000}", ""),
    "seccomp: Unconfined": (["--security-opt", "seccomp=unconfined"],
                            "securityContext: {seccompProfile: {type: Unconfined}}", ""),
    "seccomp: Localhost": (["--security-opt", "seccomp={work}/seccomp/own.json"],
                           "securityContext: {seccompProfile: {type: Localhost, localhostProfile: own.json}}", ""),
    "sysctls": (["--sysctl", "net.ipv4.tcp_fin_timeout=7", "--sysctl", "kernel.shm_rmid_forced=1"], "",
                "securityContext: {sysctls: [{name: net.ipv4.tcp_fin_timeout, value: '7'}, "
                "{name: kernel.shm_rmid_forced, value: '1'}]}"),
    "hostNetwork": (["--network", "host", "--uts", "host"], "", "hostNetwork: true"),
    "hostIPC": (["--ipc", "host"], "", "hostIPC: true"),
    "hostPID": (["--pid", "host"], "", "hostPID: true"),
    "hostUsers: false": (["--uidmap", "0:196608:65536", "--gidmap", "0:196608:65536"], "", "hostUsers: false"),
    "hostUsers: false, as another user": (["--uidmap", "0:196608:65536", "--gidmap", "0:196608:65536", "--user", "1000"],
                                          "securityContext: {runAsUser: 1000}", "hostUsers: false"),
    "procMount: Unmasked": (["--uidmap", "0:196608:65536", "--gidmap", "0:196608:65536", "--security-opt", "unmask=ALL"],
                            "securityContext: {procMount: Unmasked}", "hostUsers: false"),
    "workingDir": (["--workdir", "/data"], "workingDir: /data", ""),
    "all of it": (["--user", "1000:2000", "--cap-drop", "ALL", "--read-only", "--read-only-tmpfs=false",
                   "--security-opt", "no-new-privileges"],
                  "securityContext: {runAsUser: 1000, runAsGroup: 2000, readOnlyRootFilesystem: true, "
                  "allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}", ""),
}


def run(*args, **more):
    done = subprocess.run([str(a) for a in args], env={**ENV, **more}, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check(done.returncode == 0, f"{' '.join(map(str, args))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def podman(*args, **more):
    return run("podman", "--root", f"{WORK}/p/root", "--runroot", f"{WORK}/p/run", "--tmpdir", f"{WORK}/p/tmp",
               "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--runtime", shutil.which("runc"), *args, **more)


def by_podman(options, configured):
    """`configured`: with the defaults that are Tank's; else with its own, but for the limits, which
    it raises to what a machine may not allow."""
    files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 524288)
    hosts = "host" in options and "--network" in options
    return flatten(json.loads(podman(
        "run", "--rm", "--pull=never", "--cgroupns", "private", "--cgroup-parent", f"/{PARENT}",
        "--ulimit", f"nofile=1024:{files}", "--ulimit", f"nproc={PROCESSES}:{PROCESSES}",
        *([] if hosts else ["--network", "none", "--hostname", "box"]), *[o.format(work=WORK) for o in options],
        IMAGE, "/bin/witness", "report", **({"CONTAINERS_CONF": f"{WORK}/containers.conf"} if configured else {}))))


def write_manifest(container, spec):
    lines = ["apiVersion: v1", "kind: Pod", "metadata: {name: box}", "spec:", "  restartPolicy: Never"]
    lines += ["  " + spec] * bool(spec)
    lines += ["  containers:", "  - name: main", f"    image: {IMAGE}", "    imagePullPolicy: Never",
              "    command: [/bin/witness, report]"]
    lines += ["    " + container] * bool(container)
    with open(f"{WORK}/box.yaml", "w") as f:
        f.write("\n".join(lines) + "\n")


def by_tank(container, spec):
    write_manifest(container, spec)
    shutil.rmtree(f"{WORK}/log", ignore_errors=True)
    run(TANK, "up", "--for=exit", f"{WORK}/box.yaml")
    return flatten(json.loads(run(TANK, "logs", "box")))


def refused(container, spec):
    """What this version of Tank says that it does not do yet: nothing to compare."""
    write_manifest(container, spec)
    said = run(TANK, "validate", f"{WORK}/box.yaml")
    return [line for line in said.splitlines() if "not supported yet" in line]


def judge(name, found):
    """Raises for differences that are not listed, and for listed ones that are none."""
    unexplained, gone = dict(found), []
    for entry in DIFFERENCES:
        if name not in entry.get("only", [name]) or name in entry.get("but", []) or not entry.get("host", True):
            continue
        for field, ours, theirs in entry["fields"]:
            matching = [f for f, (a, b) in found.items()
                        if re.fullmatch(field, f) and re.fullmatch(ours, str(a)) and re.fullmatch(theirs, str(b))]
            if not matching:
                gone.append(f"{field}: Tank {ours}, podman {theirs}, because {entry['why']}")
            for f in matching:
                unexplained.pop(f, None)
    text = "".join(f"  {field}: Tank has {ours!r}, podman {theirs!r}\n" for field, (ours, theirs) in unexplained.items())
    text += "".join(f"  listed, and is no difference: {line}\n" for line in gone)
    check(not text, f"{name}:\n{text}")


def add_case(name, options, container, spec, configured=True):
    @case(f"podman run and Tank: {name}")
    def _():
        judge(name, differences(by_tank(container, spec), by_podman(options, configured)))


def make_image():
    root = f"{WORK}/rootfs"
    for name in ["bin", "etc", "tmp", "data"]:
        os.makedirs(f"{root}/{name}")
    os.chmod(f"{root}/tmp", 0o1777)
    shutil.copy(os.environ["TANK_WITNESS"], f"{root}/bin/witness")
    with open(f"{root}/etc/passwd", "w") as f:
        f.write("root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/data:/bin/sh\n")
    with open(f"{root}/etc/group", "w") as f:
        f.write("root:x:0:\napp:x:1000:\nmore:x:1500:app\n")
    with tarfile.open(f"{WORK}/image.tar", "w") as tar:
        tar.add(root, arcname=".")
    podman("import", f"{WORK}/image.tar", IMAGE)
    run(TANK, "image", "import", f"{WORK}/image.tar", IMAGE)


def remove_cgroups():
    for hierarchy in ["", *os.listdir("/sys/fs/cgroup")]:
        top = os.path.join("/sys/fs/cgroup", hierarchy, PARENT)
        for directory, _, _ in os.walk(top, topdown=False):
            os.rmdir(directory)


if __name__ == "__main__":
    if os.geteuid() != 0:
        skip("needs root, as podman does for containers with the host's identities")
    missing = [t for t in ["podman", "runc", "conmon"] if not shutil.which(t) and not os.path.exists(f"/usr/libexec/podman/{t}")]
    if missing:
        skip("missing programs: " + ", ".join(missing))
    if "TANK_INTEROP_INSIDE" not in os.environ:
        os.environ["TANK_INTEROP_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])
    PARENT = f"tank-interop-{os.getpid()}"
    # podman sets this limit in any case; both get it from here.
    PROCESSES = min(30000, resource.getrlimit(resource.RLIMIT_NPROC)[1] & (2**31 - 1))
    resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, PROCESSES))
    with tempfile.TemporaryDirectory(prefix="tank-podman-") as WORK:
        ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": WORK, "TMPDIR": WORK,
               **{f"TANK_{d.upper()}_DIR": f"{WORK}/{d}" for d in ["state", "run", "log", "manifest"]},
               "TANK_CONFIG": f"{WORK}/tank.yaml"}
        os.mkdir(f"{WORK}/seccomp")
        with open(f"{WORK}/seccomp/own.json", "w") as f:
            f.write(PROFILE)
        with open(f"{WORK}/tank.yaml", "w") as f:
            f.write(f"seccompDir: {WORK}/seccomp\nshim: {os.environ['TANK_SHIM']}\n")
        for place in ["/run", "/dev/shm"]:  # where podman and runc keep what they never remove
            run("mount", "-t", "tmpfs", "tmpfs", place)
        with open(f"{WORK}/containers.conf", "w") as f:
            f.write(f"[containers]\ndefault_capabilities = {json.dumps(CAPABILITIES)}\n"
                    f'seccomp_profile = "{os.environ["TANK_SECCOMP"]}"\n')
        make_image()
        for what, settings in CASES.items():
            for line in refused(*settings[1:]):
                print(f"left out: {what}: {line}")
            if not refused(*settings[1:]):
                add_case(what, *settings)
        add_case("podman's own defaults", [], "", "", configured=False)
        try:
            run_all()
        finally:
            podman("rm", "--all", "--force")
            remove_cgroups()
