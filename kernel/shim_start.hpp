/// Starting and finding shims: the real `shims`. Private to kernel/.
#pragma once

#include "base/unique_fd.hpp"
#include "kernel/session.hpp"
#include "kernel/shim_reaper.hpp"

#include <filesystem>
#include <memory>
#include <mutex>

namespace tank::kernel {

/// Thread-safe.
class linux_shims final : public shims {
 public:
  explicit linux_shims(std::filesystem::path shim_path) : shim_path_(std::move(shim_path)) {}

  result<std::unique_ptr<session>> start_session(const sandbox_spec& sandbox) override;
  result<std::unique_ptr<session>> adopt_session(const std::filesystem::path& run_dir) override;

 private:
  result<int> program();

  const std::filesystem::path shim_path_;
  std::mutex mutex_;
  unique_fd program_; ///< guarded; once set it stays
  std::shared_ptr<shim_reaper> reaper_ = std::make_shared<shim_reaper>();
};

} // namespace tank::kernel
