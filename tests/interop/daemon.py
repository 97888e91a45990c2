"""Pods: by `tank up`, and by a daemon."""
import json
import os
import subprocess

from layout import directory, file
from world import TANK


def busybox():
    with open("/bin/busybox", "rb") as f:
        return [directory("bin"), file("bin/busybox", f.read(), 0o755)]


def pod(name, image, command=("/bin/busybox", "true"), policy="IfNotPresent"):
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "restartPolicy": "Never", "containers": [
            {"name": "c", "image": image, "imagePullPolicy": policy, "command": list(command)}]}})


def run_pod(world, image, code=0, policy="IfNotPresent", prefix=()):
    """`tank up` until it has ended; what it says."""
    path = f"{world.dir}/pod.yaml"
    with open(path, "w") as f:
        f.write(pod("p", image, policy=policy))
    return world.run(*prefix, TANK, "up", "--for=exit", path, code=code)


class Daemon:
    def __init__(self, world):
        self.world = world
        os.makedirs(f"{world.dir}/pods", exist_ok=True)

    def __enter__(self):
        self.process = subprocess.Popen([TANK, "daemon", "--stop-pods-on-exit"], env=self.world.env, text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE)
        self.said = []
        self.await_line("event=started")
        return self

    def await_line(self, *parts):
        """The next line that holds them all."""
        for line in self.process.stderr:
            self.said.append(line)
            if all(part in line for part in parts):
                return line
        raise AssertionError("the daemon ended:\n" + "".join(self.said))

    def __exit__(self, *_):
        self.process.terminate()
        self.said += self.process.stderr
        self.process.wait()
        self.process.stderr.close()

    def put(self, name, text):
        with open(f"{self.world.dir}/.new", "w") as f:
            f.write(text)
        os.rename(f"{self.world.dir}/.new", f"{self.world.dir}/pods/{name}.yaml")
