"""Debian's docker-registry on loopback: with TLS and a password file, or plain."""
import os
import shutil
import subprocess
import threading

from case import check

# "user" with the password "secret"
HTPASSWD = "user:$2y$05$eRpEcuPFiuS5evWECXhHIO55K/M4fbNLy.Fbxg5gKlairJ2Hb/BRO\n"
LOGIN = "dXNlcjpzZWNyZXQ="


class Registry:
    """A process; ends with the `with` block."""

    def __init__(self, world, secure=True):
        self.world, self.secure = world, secure
        self.dir = f"{world.dir}/registry"
        os.makedirs(f"{self.dir}/ca", exist_ok=True)
        config = (f"version: 0.1\nlog: {{level: info}}\n"
                  f"storage: {{filesystem: {{rootdirectory: {self.dir}/data}}}}\nhttp:\n  addr: 127.0.0.1:0\n")
        if secure:
            if not os.path.exists(f"{self.dir}/key.pem"):
                world.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                          "-nodes", "-days", "2", "-subj", "/CN=registry", "-addext",
                          "subjectAltName=IP:127.0.0.1", "-keyout", f"{self.dir}/key.pem", "-out",
                          f"{self.dir}/ca/ca.crt")
            with open(f"{self.dir}/htpasswd", "w") as f:
                f.write(HTPASSWD)
            config += (f"  tls: {{certificate: {self.dir}/ca/ca.crt, key: {self.dir}/key.pem}}\n"
                       f"auth: {{htpasswd: {{realm: test, path: {self.dir}/htpasswd}}}}\n")
        with open(f"{self.dir}/config.yml", "w") as f:
            f.write(config)

    def __enter__(self):
        self.process = subprocess.Popen(["docker-registry", "serve", f"{self.dir}/config.yml"], text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        said, mark = "", "listening on 127.0.0.1:"
        while mark not in said or "\n" not in said[said.find(mark):]:
            line = self.process.stdout.readline()
            check(line, f"docker-registry ended: {said}")
            said += line
        digits = said[said.find(mark) + len(mark):].split('"')[0].split(",")[0]
        self.at = f"127.0.0.1:{int(digits)}"
        # It logs every request, and stands still when nobody takes what it says.
        self.log, self.marks, self.news = [], 0, threading.Condition()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        return self

    def _read(self):
        for line in self.process.stdout:
            with self.news:
                self.log.append(line)
                self.news.notify_all()

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()

    def flush(self):
        """The log since the last time, up to now: a request of ours marks its end."""
        mark = f"/v2/mark-{self.marks}/"
        self.marks += 1
        self.world.run("python3", "-c", f"""
import ssl, urllib.error, urllib.request
context = ssl._create_unverified_context()
try:
    urllib.request.urlopen('{"https" if self.secure else "http"}://{self.at}{mark}', context=context)
except urllib.error.HTTPError:
    pass
""")
        lines = []
        with self.news:
            while not any(mark in line for line in self.log):
                self.news.wait()
            while lines[-1:] == [] or mark not in lines[-1]:
                lines.append(self.log.pop(0))
        return [line for line in lines if "mark-" not in line]

    def invite(self):
        """Gives the world's home the login and the certificate."""
        if not self.secure:
            return
        os.makedirs(f"{self.world.dir}/.docker", exist_ok=True)
        with open(f"{self.world.dir}/.docker/config.json", "w") as f:
            f.write('{"auths":{"%s":{"auth":"%s"}}}' % (self.at, LOGIN))
        certs = f"{self.world.dir}/.config/containers/certs.d/{self.at}"
        os.makedirs(certs, exist_ok=True)
        shutil.copy(f"{self.dir}/ca/ca.crt", certs)

    def options(self, side):
        """skopeo's, to speak with it as `side`: "src" or "dest"; "" for its other verbs."""
        before = f"--{side}-" if side else "--"
        if not self.secure:
            return [f"{before}tls-verify=false"]
        return [f"{before}creds", "user:secret", f"{before}cert-dir", f"{self.dir}/ca"]

    def push(self, source, name, *options):
        self.world.skopeo("copy", "--quiet", *self.options("dest"), *options, source, f"docker://{self.at}/{name}")
        return f"{self.at}/{name}"
