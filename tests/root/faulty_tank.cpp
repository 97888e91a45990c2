// The program `tank` with a kernel that fails where the environment says:
//
//   TANK_FAULT=call:N   the N-th call of the port and its sessions fails, from 0
//   TANK_FAULT=step:I   every launch plan gets a step at I that fails
//   TANK_FAULT=shim:N   the shim is killed right after the N-th call
//   TANK_FAULT=die:N    this process is killed when it comes to the N-th call
//   TANK_CALLS=FILE     at the end: the names of the calls made, one a line
#include "cli/context.hpp"
#include "tests/root/fault_port.hpp"

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>

using namespace tank;

static std::optional<std::string> variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>{value};
}

static void read_fault(kernel::fault_script& script, const std::string& text) {
  const auto number = static_cast<unsigned>(std::atoi(text.substr(text.find(':') + 1).c_str()));
  if (text.starts_with("call:"))
    script.fail_call(number,
                     fail_errno(EIO, "fail on purpose call", std::to_string(number)).value());
  if (text.starts_with("step:")) script.fault_step_at(number, EIO);
  if (text.starts_with("die:")) script.die_at(number);
  if (text.starts_with("shim:")) script.kill_shim_after(number);
}

int main(int argc, char** argv) {
  auto script = std::make_shared<kernel::fault_script>();
  read_fault(*script, variable("TANK_FAULT").value_or(""));
  cli::cli_context context{std::cout, std::cerr};
  context.env = variable;
  context.realtime_ns = [] {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
  };
  context.make_port = [script](std::filesystem::path shim) {
    return std::make_unique<kernel::fault_port>(kernel::make_port(std::move(shim)), script);
  };
  context.executable = argv[0];
  const int status = cli::run(context, {argv + 1, argv + argc});
  if (const auto file = variable("TANK_CALLS")) {
    std::ofstream out{*file};
    for (const auto& name : script->calls())
      out << name << "\n";
  }
  return status;
}
