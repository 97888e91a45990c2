#include "actors/runtime/runtime.hpp"

namespace tank {

runtime_factory make_runtime_factory(runtime_options options) {
  if (!options.prepare_sandbox) options.prepare_sandbox = prepare_sandbox;
  if (!options.prepare_container) options.prepare_container = prepare_container;
  if (!options.clean) options.clean = clean_sandbox;
  return make_runtime_factory_as_is(std::move(options));
}

} // namespace tank
