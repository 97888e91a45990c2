#!/usr/bin/env python3
"""Images in a real registry, with TLS and a password: pushed by skopeo in every format, pulled by
tank, compared with what `umoci unpack` makes of them, and run. And what else a pull must do there."""
import json
import os
import shutil
import signal

from builders import Buildah, decompress, reference_tree, umoci_image
from case import case, check, run_all
from daemon import Daemon, busybox, pod, run_pod
from gate import Gate
from layout import HOST, Layout, file, tar
from registry import Registry
from terminal import Terminal
from tree import differences
from world import TANK, World, enter


def blob_requests(log, digest):
    """GETs of a blob in the registry's access log."""
    return [line for line in log if '"GET ' in line and f"/blobs/{digest}" in line]


# --- the matrix ---

def docker_directory(layout, to):
    """An OCI layout's image in docker's own format, its layers as they are. Without zstd: no tool pushes
    that in docker's format."""
    types = {"application/vnd.oci.image.layer.v1.tar": "application/vnd.docker.image.rootfs.diff.tar",
             "application/vnd.oci.image.layer.v1.tar+gzip": "application/vnd.docker.image.rootfs.diff.tar.gzip"}
    os.makedirs(to)
    with open(f"{layout}/index.json") as f:
        digest = json.load(f)["manifests"][0]["digest"].split(":")[1]
    with open(f"{layout}/blobs/sha256/{digest}") as f:
        manifest = json.load(f)
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest.update(schemaVersion=2, mediaType=kind)
    manifest["config"]["mediaType"] = "application/vnd.docker.container.image.v1+json"
    for entry in manifest["layers"]:
        entry["mediaType"] = types[entry["mediaType"]]
    for entry in [manifest["config"], *manifest["layers"]]:
        shutil.copy(f"{layout}/blobs/{entry['digest'].replace(':', '/')}", f"{to}/{entry['digest'].split(':')[1]}")
    with open(f"{to}/manifest.json", "w") as f:
        json.dump(manifest, f)
    with open(f"{to}/version", "w") as f:
        f.write("Directory Transport Version: 1.1\n")
    return f"dir:{to}"


def forms(source, name):
    """skopeo's names of one image: both formats, with gzip, zstd and plain layers."""
    gzip, zstd, plain = (f"{WORLD.dir}/{name}-{kind}" for kind in ("gzip", "zstd", "plain"))
    WORLD.skopeo("copy", "--quiet", "--format", "oci", "--dest-compress-format", "gzip", source, f"oci:{gzip}:t")
    WORLD.skopeo("copy", "--quiet", "--format", "oci", "--dest-compress-format", "zstd", f"oci:{gzip}:t",
                 f"oci:{zstd}:t")
    decompress(gzip, plain)
    for kind, layout in (("gzip", gzip), ("zstd", zstd), ("plain", plain)):
        yield f"{name}-oci-{kind}", f"oci:{layout}:t"
        if kind != "zstd":
            yield f"{name}-docker-{kind}", docker_directory(layout, f"{layout}-docker")


def matrix(builder):
    @case(f"images made by {builder}: OCI and docker, gzip, zstd and plain, pulled and run")
    def _():
        for source in SOURCES[builder]():
            name = builder if builder != "buildah" else "buildah-" + source.rsplit("-", 1)[1]
            wanted = reference_tree(WORLD, source, name)
            kinds = {}
            for tag, at in forms(source, name):
                image = REGISTRY.push(at, f"{name}:{tag}", "--preserve-digests")
                raw = json.loads(WORLD.skopeo("inspect", "--raw", *REGISTRY.options(""), f"docker://{image}"))
                kinds[tag] = {l["mediaType"] for l in raw["layers"]}
                WORLD.tank("pull", image)
                found = differences(WORLD.tree(image), wanted)
                check(not found, f"{tag}: {len(found)} differences:\n" + "\n".join(found[:20]))
                run_pod(WORLD, image)
            check(len(set(map(str, kinds.values()))) == 5, f"not five kinds of layers: {kinds}")


for name in ("umoci", "buildah", "skopeo"):
    matrix(name)


@case("an index: the image of this machine is taken")
def _():
    layout = Layout(f"{WORLD.dir}/multi")
    other = "s390x" if HOST != "s390x" else "amd64"
    images = [layout.image([tar([file("else")])], architecture=other), layout.image([tar(busybox())])]
    image = REGISTRY.push(layout.name("t", layout.index(images)), "multi:1", "--all", "--preserve-digests")
    WORLD.tank("pull", image)
    (found,) = WORLD.inspect(image)
    check(found["digest"] == images[1]["digest"] and found["indexDigest"], str(found))
    run_pod(WORLD, image)


@case("an image without layers is pulled; that it holds no program is said")
def _():
    layout = Layout(f"{WORLD.dir}/none")
    image = REGISTRY.push(layout.name("t", layout.image([])), "none:1", "--preserve-digests")
    WORLD.tank("pull", image)
    check(set(WORLD.tree(image)) == {"."}, "there is something in it")
    said = run_pod(WORLD, image, code=1)
    check("/bin/busybox" in said and "No such file" in said, said)


@case("layers come over HTTP/2 where TLS offers it, over kept connections")
def _():
    layout = Layout(f"{WORLD.dir}/many")
    layers = [tar([file(f"f{i}", os.urandom(200_000))]) for i in range(9)]
    image = REGISTRY.push(layout.name("t", layout.image(layers)), "many:1", "--preserve-digests")
    REGISTRY.flush()
    WORLD.tank("pull", image)
    log = REGISTRY.flush()
    blobs = [line for line in log if '"GET ' in line and "/blobs/" in line]
    check(len(blobs) == 10, f"{len(blobs)} blobs were asked for:\n" + "".join(blobs))
    check(all("HTTP/2.0" in line for line in blobs), "".join(blobs))


@case("what two images share is downloaded once")
def _():
    layout = Layout(f"{WORLD.dir}/sharing")
    shared = tar([file("shared", os.urandom(300_000))])
    one = REGISTRY.push(layout.name("one", layout.image([shared, tar([file("a")])])), "sharing:one",
                        "--preserve-digests")
    two = REGISTRY.push(layout.name("two", layout.image([shared, tar([file("b")])])), "sharing:two",
                        "--preserve-digests")
    REGISTRY.flush()
    WORLD.tank("pull", one, two)
    (image,) = WORLD.inspect(one)
    log = REGISTRY.flush()
    check(len(blob_requests(log, image["layers"][0]["digest"])) == 1, "".join(log))


@case("a login comes from a credential helper")
def _():
    layout = Layout(f"{WORLD.dir}/helped")
    image = REGISTRY.push(layout.name("t", layout.image([tar([file("x")])])), "helped:1")
    helper = f"{WORLD.dir}/docker-credential-test"
    with open(helper, "w") as f:
        f.write('#!/bin/sh\nread host\n'
                f'[ "$1 $host" = "get {REGISTRY.at}" ] || exit 1\n'
                'echo "{\\"ServerURL\\":\\"$host\\",\\"Username\\":\\"user\\",\\"Secret\\":\\"secret\\"}"\n')
    os.chmod(helper, 0o755)
    config = f"{WORLD.dir}/.docker/config.json"
    with open(config, "w") as f:
        json.dump({"credHelpers": {REGISTRY.at: "test"}}, f)
    path = WORLD.env["PATH"]
    try:
        check("credential" in WORLD.tank("pull", image, code=1), "it did without its helper")
        WORLD.env["PATH"] = f"{WORLD.dir}:{path}"
        WORLD.tank("pull", image)
    finally:
        WORLD.env["PATH"] = path
        REGISTRY.invite()


# --- a terminal, and being interrupted ---

def big_layout(world):
    layout = Layout(f"{world.dir}/big")
    layers = [tar([file(f"f{i}", os.urandom(3 << 20))]) for i in range(2)]
    layout.name("t", layout.image(layers, compress=True))
    return layout


@case("a terminal shows bytes, rate and time left of each layer, in the room it has")
def _():
    for columns, part in ((80, " MiB, "), (40, "% ")):
        with World() as world, Gate(big_layout(world), pieces=0.03) as gate:
            terminal = Terminal([TANK, "image", "pull", f"{gate.at}/big:t"], world.env, columns)
            said = terminal.wait()
            check(terminal.code == 0, said)
            frames = [line for frame in said.split("\x1b[J") for line in frame.split("\r\n")]
            rows = [line for line in frames if "/s" in line and "left" in line and part in line]
            check(any(not row.startswith("all") for row in rows), f"{columns}: no layer's rate:\n{said}")
            check(any(row.startswith("all") for row in rows), f"{columns}: no rate of all:\n{said}")
            wide = [line for line in frames[:-2] if len(line) > columns]
            check(not wide, f"{columns}: too wide: {wide}")


@case("elsewhere there are plain lines")
def _():
    with World() as world, Gate(big_layout(world)) as gate:
        said = world.tank("pull", f"{gate.at}/big:t")
        check("\x1b" not in said and "\r" not in said, repr(said))
        check(said.count(" done\n") == 2, said)


@case("Ctrl-C, SIGTERM and the end of the terminal end a pull; the store is whole, the next one succeeds")
def _():
    for how in ("ctrl-c", "sigterm", "hangup"):
        with World() as world, Gate(big_layout(world), hold=1 << 20) as gate:
            image = f"{gate.at}/big:t"
            terminal = Terminal([TANK, "image", "pull", image], world.env, 80)
            gate.holding.wait()
            if how == "ctrl-c":
                terminal.type(b"\x03")
            elif how == "sigterm":
                terminal.process.send_signal(signal.SIGTERM)
            else:
                terminal.hang_up()
            said = terminal.wait()
            gate.gone.wait()
            check(terminal.code == 1 or (how == "hangup" and terminal.code in (1, -signal.SIGHUP)),
                  f"{how}: {terminal.code}: {said}")
            check(how == "hangup" or "no longer wanted" in said, said)
            world.check_undamaged()
            world.tank("prune")
            world.check_empty()
            gate.release()
            world.tank("pull", image)
            world.check_undamaged()


@case("a full disk fails the pull, gives back what it had taken, and hurts nothing else")
def _():
    with World() as world, world.small_disk("24m"), Registry(world, secure=False) as registry:
        layout = Layout(f"{world.dir}/layout")
        small = registry.push(layout.name("s", layout.image([tar([file("x", os.urandom(1 << 20))])])), "small:1")
        zeros = tar([file(f"zeros{i}", bytes(8 << 20)) for i in range(4)])
        first = tar([file("first", os.urandom(2 << 20))])
        big = registry.push(layout.name("b", layout.image([first, zeros], compress=True)), "big:1")
        world.tank("pull", small)
        room = os.statvfs(f"{world.dir}/state").f_bavail
        said = world.tank("pull", big, code=1)
        check("No space left on device" in said, said)
        check(os.statvfs(f"{world.dir}/state").f_bavail >= room - 64, "it kept what it had taken")
        world.check_nothing_more()
        world.check_undamaged()
        check(world.names() == [small], str(world.names()))
        world.run("mount", "-o", "remount,size=128m", f"{world.dir}/state")
        world.tank("pull", big)
        world.check_undamaged()


# --- with a daemon ---

@case("a pod that is deleted ends its pull")
def _():
    with World() as world, Gate(big_layout(world), hold=1 << 20) as gate, Daemon(world) as daemon:
        daemon.put("p", pod("p", f"{gate.at}/big:t"))
        gate.holding.wait()
        os.unlink(f"{world.dir}/pods/p.yaml")
        gate.gone.wait()
        daemon.await_line("event=pod_gone", "default/p")
        world.tank("prune")
        world.check_empty()


if __name__ == "__main__":
    enter(["umoci", "skopeo", "buildah", "docker-registry", "openssl"])
    with World() as WORLD, Registry(WORLD) as REGISTRY:
        REGISTRY.invite()
        BUILDAH = Buildah(WORLD)
        SOURCES = {
            "umoci": lambda: [umoci_image(WORLD)],
            "buildah": lambda: [BUILDAH.image(form) for form in ("oci", "docker")],
            # skopeo makes no layers of its own: what it converts to docker's format and back is its.
            "skopeo": lambda: [converted()],
        }

        def converted():
            WORLD.skopeo("copy", "--quiet", f"oci:{WORLD.dir}/umoci:t", f"docker-archive:{WORLD.dir}/s.tar:localhost/s:1")
            return f"docker-archive:{WORLD.dir}/s.tar"

        run_all()
