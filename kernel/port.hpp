/// The kernel as the rest of Tank sees it: small interfaces at intent level.
///
///     shims            starts and finds the shims of pods        kernel/session.hpp
///     cgroups          pods' cgroups, limits, usage              kernel/cgroup.hpp
///     pod_files        directories and files of pods             kernel/pod_files.hpp
///     seccomp_filters  profiles into filters                     kernel/seccomp_filters.hpp
///     volumes          volumes in memory                         kernel/volumes.hpp
///
/// Who needs one of them takes that one. `make_port()` gives the real ones. tests/actor holds a
/// recording fake, tests/root a decorator that fails any chosen call or step.
#pragma once

#include "kernel/cgroup.hpp"
#include "kernel/host_facts.hpp"
#include "kernel/pod_files.hpp"
#include "kernel/seccomp_filters.hpp"
#include "kernel/session.hpp"
#include "kernel/volumes.hpp"

#include <filesystem>
#include <memory>

namespace tank::kernel {

/// All of them. Thread-safe; its sessions are not. Nothing here blocks longer than a vfork+exec or
/// a few metadata syscalls unless it says "blocking": then it is called from a worker thread.
class port : public shims,
             public cgroups,
             public pod_files,
             public seccomp_filters,
             public volumes {};

/// The real kernel. `shim_path` is the tank-shim program. It outlives its sessions.
std::unique_ptr<port> make_port(std::filesystem::path shim_path);

} // namespace tank::kernel
