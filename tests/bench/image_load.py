#!/usr/bin/env python3
"""usage: image_load.py TANK [OTHER_TANK...]   [env: RUNS=7 SIZE_MB=150]

Times from an archive to an image that can run, and the peak memory of it: `tank image load` of each
program beside `umoci unpack`, all in one interleaved loop over the same image (files of this host's
/usr, six layers and one layer; gzip, zstd and plain). Prints medians and ratios. Root; needs umoci.
"""
import gzip
import hashlib
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

RUNS = int(os.environ.get("RUNS", "7"))
SIZE = int(os.environ.get("SIZE_MB", "150")) << 20


def some_files():
    """Regular files of /usr, to about SIZE bytes."""
    total = 0
    for top in ["/usr/bin", "/usr/lib", "/usr/share"]:
        for base, dirs, files in os.walk(top):
            dirs.sort()
            for name in sorted(files):
                path = os.path.join(base, name)
                if os.path.islink(path) or not os.path.isfile(path):
                    continue
                size = os.path.getsize(path)
                if size > 8 << 20:
                    continue
                total += size
                if total > SIZE:
                    return
                yield path


def layers(count):
    outs = [io.BytesIO() for _ in range(count)]
    tars = [tarfile.open(fileobj=o, mode="w", format=tarfile.PAX_FORMAT) for o in outs]
    for number, path in enumerate(some_files()):
        tars[number % count].add(path, recursive=False)
    for t in tars:
        t.close()
    return [o.getvalue() for o in outs]


def compress(data, kind):
    if kind == "gzip":
        return gzip.compress(data, 6, mtime=0)
    if kind == "zstd":
        return subprocess.run(["zstd", "-q", "-3", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def layout(to, plain, kind):
    os.makedirs(f"{to}/blobs/sha256")

    def blob(data, media):
        digest = hashlib.sha256(data).hexdigest()
        with open(f"{to}/blobs/sha256/{digest}", "wb") as f:
            f.write(data)
        return {"mediaType": f"application/vnd.oci.image.{media}", "digest": f"sha256:{digest}", "size": len(data)}

    suffix = {"plain": "tar", "gzip": "tar+gzip", "zstd": "tar+zstd"}[kind]
    config = {"os": "linux", "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine),
              "config": {"Cmd": ["/x"]}, "rootfs": {"type": "layers", "diff_ids": [
                  "sha256:" + hashlib.sha256(p).hexdigest() for p in plain]}}
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": blob(json.dumps(config).encode(), "config.v1+json"),
                "layers": [blob(compress(p, kind), f"layer.v1.{suffix}") for p in plain]}
    index = {"schemaVersion": 2, "manifests": [{
        **blob(json.dumps(manifest).encode(), "manifest.v1+json"),
        "annotations": {"org.opencontainers.image.ref.name": "t"}}]}
    with open(f"{to}/index.json", "w") as f:
        json.dump(index, f)
    with open(f"{to}/oci-layout", "w") as f:
        f.write('{"imageLayoutVersion":"1.0.0"}')


def measured(command, env):
    """Seconds, and peak MiB of the process."""
    began = time.monotonic()
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command}: {process.returncode}")
    return time.monotonic() - began, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def main():
    tanks = [os.path.abspath(p) for p in sys.argv[1:]]
    with tempfile.TemporaryDirectory(prefix="tank-bench-") as work:
        open(f"{work}/tank.yaml", "w").close()
        for count in [6, 1]:
            plain = layers(count)
            size = sum(map(len, plain)) / 1e6
            for kind in ["gzip", "zstd", "plain"]:
                image = f"{work}/{kind}-{count}"
                layout(image, plain, kind)
                contenders = {t: [t, "image", "load", image, "localhost/b:1"] for t in tanks}
                if kind == "gzip":
                    contenders["umoci unpack"] = ["umoci", "unpack", "--image", f"{image}:t", f"{work}/out"]
                seen = {name: [] for name in contenders}
                for _ in range(RUNS):
                    for name, command in contenders.items():
                        env = {**os.environ, "TANK_STATE_DIR": f"{work}/out", "TANK_RUN_DIR": f"{work}/run",
                               "TANK_CONFIG": f"{work}/tank.yaml"}
                        os.sync()
                        seen[name].append(measured(command, env))
                        shutil.rmtree(f"{work}/out")
                first = statistics.median(s for s, _, _ in seen[tanks[0]])
                for name, runs in seen.items():
                    s = statistics.median(s for s, _, _ in runs)
                    cpu = statistics.median(c for _, _, c in runs)
                    print(f"{kind:5} {count} layers {size:6.1f} MB  {s * 1000:8.0f} ms {size / s:7.0f} MB/s  "
                          f"cpu {cpu * 1000:6.0f} ms  peak {max(m for _, m, _ in runs):6.1f} MiB  "
                          f"x{s / first:5.2f}  {name}", flush=True)


main()
