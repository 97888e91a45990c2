#include "actors/messages.hpp"

namespace tank {

void init_message_types() {
  init_supervisor_types();
  compat::init_types<caf::id_block::tank_poller>();
  compat::init_types<caf::id_block::tank_runtime>();
  compat::init_types<caf::id_block::tank_reconcile>();
  compat::init_types<caf::id_block::tank_images>();
  compat::init_types<caf::id_block::tank_manifests>();
  compat::init_types<caf::id_block::tank_sessions>();
}

} // namespace tank
