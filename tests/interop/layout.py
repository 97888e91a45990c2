"""OCI layouts written by hand: layers as lists of entries, as no honest builder would write them."""
import gzip
import hashlib
import io
import json
import os
import platform
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
HOST = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def directory(name, mode=0o755, owner=(0, 0), time=1_000_000_000, **pax):
    return {"name": name, "type": tarfile.DIRTYPE, "mode": mode, "owner": owner, "time": time, "pax": pax}


def file(name, content=b"x", mode=0o644, owner=(0, 0), time=1_100_000_000):
    return {"name": name, "type": tarfile.REGTYPE, "content": content, "mode": mode, "owner": owner, "time": time}


def link(name, to, kind=tarfile.SYMTYPE):
    return {"name": name, "type": kind, "to": to}


def tar(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry["name"])
            info.type = entry["type"]
            info.mode = entry.get("mode", 0o777)
            info.uid, info.gid = entry.get("owner", (0, 0))
            info.mtime = entry.get("time", 1_200_000_000)
            info.linkname = entry.get("to", "")
            info.pax_headers = entry.get("pax", {})
            content = entry.get("content", b"")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def digest(data, algorithm="sha256"):
    return f"{algorithm}:" + hashlib.new(algorithm, data).hexdigest()


class Layout:
    """Grows image by image. `algorithm` names the blobs."""

    def __init__(self, path, algorithm="sha256"):
        self.path, self.algorithm, self.names = path, algorithm, []
        os.makedirs(f"{path}/blobs/{algorithm}")
        with open(f"{path}/oci-layout", "w") as f:
            f.write('{"imageLayoutVersion":"1.0.0"}')

    def put(self, data, kind):
        name = digest(data, self.algorithm)
        with open(f"{self.path}/blobs/{name.replace(':', '/')}", "wb") as f:
            f.write(data)
        return {"mediaType": kind, "digest": name, "size": len(data)}

    def image(self, layers, architecture=HOST, compress=False):
        """The descriptor of an image of these tars."""
        blobs = [self.put(gzip.compress(l, 1, mtime=0), LAYER + "+gzip") if compress else self.put(l, LAYER)
                 for l in layers]
        config = self.put(json.dumps({
            "os": "linux", "architecture": architecture, "config": {"Cmd": ["/bin/true"], "Env": ["A=1"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(l, self.algorithm) for l in layers]},
        }).encode(), CONFIG)
        text = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": blobs})
        return {**self.put(text.encode(), MANIFEST), "platform": {"os": "linux", "architecture": architecture}}

    def index(self, images):
        text = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": images})
        return self.put(text.encode(), INDEX)

    def name(self, name, image):
        """`oci:` text of the image, under that name."""
        named = {k: v for k, v in image.items() if k != "platform"}
        self.names.append({**named, "annotations": {"org.opencontainers.image.ref.name": name}})
        with open(f"{self.path}/index.json", "w") as f:
            json.dump({"schemaVersion": 2, "manifests": self.names}, f)
        return f"oci:{self.path}:{name}"
