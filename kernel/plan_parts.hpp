/// The parts of a launch plan, each declared once for both forms that a plan has.
///
/// In the daemon a plan owns what it says (`Form` is plan_values of launch_plan.hpp), in the shim
/// it is a view into the buffer it came in (`Form` is plan_views of wire.hpp). `fields` of a part
/// lists its fields in the order of that buffer, and is all that writing, reading, comparing and
/// copying know of it: a new field is one line in its part, and its name in the list below it. A
/// test counts both (tests/unit/kernel/wire_test.cpp).
///
/// No heap, no exceptions, no libstdc++'s runtime: the shim is built without.
#pragma once

#include <cstdint>

namespace tank::kernel::plan {

/// Marks, in a list of fields, bytes that are no text: they may hold NULs and are 8-aligned.
template <class T>
struct raw_field {
  T& value;
};
template <class T>
raw_field(T&) -> raw_field<T>;

/// All parts derive from nothing and have nothing but fields, so that they can be made by name:
/// `bind_step{.source = "/srv", .target = "/data"}`.
template <class T>
concept part = requires(T& t) {
  T::fields(t, [](auto&&...) {});
};

/// The root filesystem: read-only layers shared by all pods of an image, and a private upper.
/// `lower` is ordered top first, as overlayfs wants it. With an empty `upper`, `lower` must be
/// exactly one directory: it is bound as it is (`rootfs:/dir` images). With `mapped`, which wants a
/// user namespace, what is the host's id n in `lower` is the namespace's n (idmapped mounts);
/// `upper` holds the host's ids.
template <class Form>
struct overlay {
  typename Form::paths lower;
  typename Form::path upper;
  typename Form::path work;
  bool mapped = false;
  static constexpr auto fields(auto& s, auto&& f) { return f(s.lower, s.upper, s.work, s.mapped); }
};

/// A new filesystem instance: proc (of the new pid namespace), sysfs, tmpfs, devpts, mqueue.
/// The target directory is made when missing. `data` is the option string ("mode=755,size=65536k").
template <class Form>
struct filesystem {
  typename Form::text type;
  typename Form::text target;
  std::uint32_t flags = 0; ///< MS_* of mount(2)
  typename Form::text data;
  static constexpr auto fields(auto& s, auto&& f) { return f(s.type, s.target, s.flags, s.data); }
};

/// A host file or directory made visible. The target is made when missing, of the source's kind.
template <class Form>
struct bind {
  typename Form::path source; ///< on the host; opened once, O_PATH
  typename Form::text target;
  bool read_only = false;
  bool recursive = false;
  std::uint32_t flags = 0; ///< further MS_NOSUID | MS_NODEV | MS_NOEXEC
  bool mapped = false;     ///< as in overlay, with all that is mounted below
  static constexpr auto fields(auto& s, auto&& f) {
    return f(s.source, s.target, s.read_only, s.recursive, s.flags, s.mapped);
  }
};

/// A device below /dev: mknod, or a bind of the host's verified node where mknod is refused. In a
/// directory whose mount is nodev the node is bound onto itself with devices allowed: it works, and
/// no other that the workload makes beside it does.
template <class Form>
struct device {
  typename Form::text target;
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::uint32_t mode = 0666;
  bool block = false;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  static constexpr auto fields(auto& s, auto&& f) {
    return f(s.target, s.major, s.minor, s.mode, s.block, s.uid, s.gid);
  }
};

template <class Form>
struct symlink {
  typename Form::text target; ///< what the link says
  typename Form::text link;   ///< where it is
  static constexpr auto fields(auto& s, auto&& f) { return f(s.target, s.link); }
};

template <class Form>
struct directory {
  typename Form::text target;
  std::uint32_t mode = 0755;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  static constexpr auto fields(auto& s, auto&& f) { return f(s.target, s.mode, s.uid, s.gid); }
};

/// Hides a path: an empty read-only tmpfs over a directory, /dev/null over a file; a path that does
/// not exist is skipped.
template <class Form>
struct mask {
  typename Form::text target;
  static constexpr auto fields(auto& s, auto&& f) { return f(s.target); }
};

/// Binds a path onto itself, read-only; a path that does not exist is skipped.
template <class Form>
struct read_only {
  typename Form::text target;
  static constexpr auto fields(auto& s, auto&& f) { return f(s.target); }
};

/// Makes the built tree the root (pivot_root) and lets go of the host's. After it, only `mask`,
/// `read_only` steps may follow. `read_only_root` remounts the root itself.
template <class Form>
struct pivot {
  bool read_only_root = false;
  static constexpr auto fields(auto& s, auto&& f) { return f(s.read_only_root); }
};

/// Fails with `sys`. Only tests put it into a plan (tests/root/fault_port.hpp).
template <class Form>
struct fault {
  std::int32_t sys = 5;
  static constexpr auto fields(auto& s, auto&& f) { return f(s.sys); }
};

/// Sets a kernel parameter of the pod's network or IPC namespace. Before the pivot; needs no root
/// filesystem yet.
template <class Form>
struct sysctl {
  typename Form::text path; ///< below /proc/sys: "net/ipv4/tcp_syncookies"
  typename Form::text value;
  static constexpr auto fields(auto& s, auto&& f) { return f(s.path, s.value); }
};

/// A part of a volume made visible, or a volume whose mounts come and go: what bind does for a whole
/// one that stays as it is. `sub_path` is found by descriptor within the volume, links followed
/// there: nothing that a pod puts into a volume leads out of it, and nothing is looked up twice
/// (CVE-2017-1002101, CVE-2021-25741).
template <class Form>
struct volume {
  typename Form::path source;   ///< root of the volume on the host; opened once
  typename Form::text sub_path; ///< relative; empty: all of it
  bool make = false; ///< a missing sub_path becomes a directory with the root's mode and owner
  typename Form::text target;
  bool read_only = false; ///< with all that is mounted below
  std::uint32_t flags = 0;
  bool mapped = false; ///< as in bind
  bool follow = false; ///< mounts that the host makes below later appear here too
  static constexpr auto fields(auto& s, auto&& f) {
    return f(s.source, s.sub_path, s.make, s.target, s.read_only, s.flags, s.mapped, s.follow);
  }
};

/// The kinds of steps. What stands in a plan before a step is its place here: new ones go to the
/// end.
template <class Form, template <class...> class List>
using steps_of =
    List<overlay<Form>, filesystem<Form>, bind<Form>, device<Form>, symlink<Form>, directory<Form>,
         mask<Form>, read_only<Form>, pivot<Form>, fault<Form>, sysctl<Form>, volume<Form>>;

struct rlimit {
  std::int32_t resource = 0; ///< RLIMIT_*
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
  bool operator==(const rlimit&) const = default;
};

/// The five sets of capabilities(7) that execve is called with. It grants a root workload what
/// `bounding` and `inheritable` hold, another user's what `ambient` holds.
template <class Form>
struct capabilities {
  std::uint64_t bounding = Form::usual_capabilities;
  std::uint64_t permitted = Form::usual_capabilities;
  std::uint64_t effective = Form::usual_capabilities;
  std::uint64_t inheritable = 0;
  std::uint64_t ambient = 0; ///< a subset of permitted and inheritable
  static constexpr auto fields(auto& s, auto&& f) {
    return f(s.bounding, s.permitted, s.effective, s.inheritable, s.ambient);
  }
};

/// A seccomp filter, installed as the last thing before execve; see kernel/seccomp.hpp.
template <class Form>
struct seccomp {
  typename Form::bytes program; ///< struct sock_filter[1..4096]; empty: none
  std::uint32_t flags = 0;      ///< SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW
  static constexpr auto fields(auto& s, auto&& f) { return f(raw_field{s.program}, s.flags); }
};

/// What runs. argv[0] without a slash is searched in the PATH of `env`, inside the container, as
/// the user it will run as.
template <class Form>
struct process {
  typename Form::texts argv; ///< at least one
  typename Form::texts env;  ///< "K=V"
  typename Form::text cwd; ///< absolute; must exist in the container, see `create_cwd`; empty: "/"
  bool create_cwd = false; ///< make it (0755, root) when missing, as for an image's WorkingDir
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  typename Form::numbers groups; ///< supplementary
  std::uint32_t umask = 0022;
  bool no_new_privs = false;
  typename Form::rlimits rlimits;
  plan::capabilities<Form> capabilities;
  plan::seccomp<Form> seccomp;
  typename Form::maybe_number oom_score_adj; ///< -1000..1000; lowering it wants CAP_SYS_RESOURCE
  static constexpr auto fields(auto& s, auto&& f) {
    return f(s.argv, s.env, s.cwd, s.create_cwd, s.uid, s.gid, s.groups, s.umask, s.no_new_privs,
             s.rlimits, s.capabilities, s.seccomp, s.oom_score_adj);
  }
};

/// Where output goes. The shim writes CRI-format lines (`<RFC3339Nano> <stream> <P|F> <text>`) and
/// rotates `path` when it would pass `max_bytes`: path -> path.1 -> ... -> path.<max_files-1>.
/// stdin is /dev/null. An empty path sends output to /dev/null.
template <class Form>
struct log {
  typename Form::path path; ///< on the host; its directory exists
  std::uint64_t max_bytes = 10 * 1024 * 1024;
  std::uint32_t max_files = 5; ///< at least 2
  static constexpr auto fields(auto& s, auto&& f) { return f(s.path, s.max_bytes, s.max_files); }
};

/// One attempt of one container, complete.
template <class Form>
struct launch {
  typename Form::text container; ///< its name, 1 to 127 bytes; with `attempt` the id in every event
  std::uint32_t attempt = 0;     ///< higher than every earlier one's of this name in the sandbox
  bool new_pid_ns = true;        ///< false: the pod's or the host's
  bool new_cgroup_ns = true;     ///< its root is the cgroup that the container is in
  /// Where the container lives from its first instruction on: a directory in each cgroup hierarchy.
  /// Empty: where the shim is. The one that counts memory also tells why it ended.
  typename Form::paths cgroups;
  typename Form::steps steps;
  plan::process<Form> process;
  plan::log<Form> log;
  static constexpr auto fields(auto& s, auto&& f) {
    return f(s.container, s.attempt, s.new_pid_ns, s.new_cgroup_ns, s.cgroups, s.steps, s.process,
             s.log);
  }
};

/// Two are equal when their fields are.
template <part P>
bool operator==(const P& a, const P& b) {
  return P::fields(a, [&](const auto&... left) {
    return P::fields(b, [&](const auto&... right) { return ((left == right) && ...); });
  });
}
template <class T>
bool operator==(const raw_field<T>& a, const raw_field<T>& b) {
  return a.value == b.value;
}

/// Fills one form's part from the other's, `assign` each field.
template <part To, part From>
void copy(To& to, From& from, auto&& assign) {
  From::fields(from, [&](auto&&... sources) {
    To::fields(to, [&](auto&&... targets) { (assign(targets, sources), ...); });
  });
}

} // namespace tank::kernel::plan
