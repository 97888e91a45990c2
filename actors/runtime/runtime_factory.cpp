#include "pod/prepare_launch.hpp"
#include "actors/runtime/runtime.hpp"

namespace tank {

runtime_factory make_runtime_factory(runtime_options options) {
  if (!options.prepare) options.prepare = prepare_launch;
  if (!options.clean) options.clean = clean_launch;
  return make_runtime_factory_as_is(std::move(options));
}

} // namespace tank
