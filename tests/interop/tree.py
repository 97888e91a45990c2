"""Two file trees, compared in everything a container could see."""
import hashlib
import os
import stat


def _content(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def survey(root):
    """name -> facts, of everything below `root` and of the root itself (".", without its time:
    an image need not say it). Hard-link groups are named by their first member."""
    out, links = {}, {}
    names = ["."]
    for base, dirs, files in os.walk(root, followlinks=False):
        names += [os.path.relpath(os.path.join(base, n), root) for n in dirs + files]
    for name in sorted(names):
        path = os.path.join(root, name)
        st = os.lstat(path)
        facts = {
            "type": stat.S_IFMT(st.st_mode),
            "mode": oct(stat.S_IMODE(st.st_mode)),
            "uid": st.st_uid,
            "gid": st.st_gid,
            "xattrs": {
                key: os.getxattr(path, key, follow_symlinks=False).hex()
                for key in os.listxattr(path, follow_symlinks=False)
                if not key.startswith(("trusted.overlay.", "user.rootlesscontainers"))
            },
        }
        if name != ".":
            facts["mtime"] = st.st_mtime_ns
        if stat.S_ISREG(st.st_mode):
            facts["size"] = st.st_size
            facts["content"] = _content(path)
        if stat.S_ISLNK(st.st_mode):
            facts["target"] = os.readlink(path)
        if not stat.S_ISDIR(st.st_mode):
            facts["links"] = st.st_nlink
            if st.st_nlink > 1:
                facts["group"] = links.setdefault((st.st_dev, st.st_ino), name)
        out[name] = facts
    return out


def differences(ours, theirs):
    """Lines that say what differs; none when the trees are the same."""
    out = []
    for name in sorted(set(ours) | set(theirs)):
        if name not in ours:
            out.append(f"{name}: missing")
        elif name not in theirs:
            out.append(f"{name}: there only in ours")
        else:
            for key in sorted(set(ours[name]) | set(theirs[name])):
                a, b = ours[name].get(key), theirs[name].get(key)
                if a != b:
                    out.append(f"{name}: {key} is {a}, should be {b}")
    return out
