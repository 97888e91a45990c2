#include "actors/message_types.hpp"

namespace tank {

void init_message_types() {
  init_supervisor_types();
  compat::init_types<caf::id_block::tank>();
}

} // namespace tank
