/// What a sandbox does in which state on which event; private to sandbox_machine.cpp.
#pragma once

#include "pod/rule_table.hpp"
#include "pod/sandbox_machine.hpp"

namespace tank {

struct sandbox_machine::table {
  using m = sandbox_machine;
  using s = sandbox_state;
  using k = sandbox_event_kind;

  static constexpr auto spread() {
    using rule_table::set;
    constexpr auto all = (1U << sandbox_states) - 1;
    constexpr auto before_shim = set(s::idle, s::preparing, s::abandoning);
    constexpr auto after_shim = set(s::cleaning, s::gone);

    constexpr rule_table::rule<handler> rules[] = {
        {&m::on_open, set(s::idle), set(k::open)},
        {&m::on_adopt, set(s::idle), set(k::adopt)},
        {&m::cannot_be, all & ~set(s::idle), set(k::open, k::adopt)},

        {&m::on_close_idle, set(s::idle), set(k::close)},
        {&m::on_close_preparing, set(s::preparing), set(k::close)},
        {&m::on_close, set(s::starting, s::up), set(k::close)},
        {&m::on_close_adopting, set(s::adopting), set(k::close)},
        {&m::too_late, set(s::abandoning, s::closing) | after_shim, set(k::close)},

        {&m::on_prepared, set(s::preparing), set(k::prepared)},
        {&m::on_not_prepared, set(s::preparing), set(k::not_prepared)},
        {&m::on_abandoned, set(s::abandoning), set(k::prepared, k::not_prepared)},
        {&m::cannot_be, all & ~set(s::preparing, s::abandoning), set(k::prepared, k::not_prepared)},

        {&m::on_up, set(s::starting), set(k::up)},
        {&m::on_greeting, set(s::adopting), set(k::up)},
        {&m::too_late, set(s::closing), set(k::up)}, // crossed our order to go
        {&m::cannot_be, before_shim | set(s::up) | after_shim, set(k::up)},

        {&m::on_start_failed, set(s::starting), set(k::failed)},
        {&m::on_request_failed, set(s::up), set(k::failed)},
        {&m::on_not_adopted, set(s::adopting), set(k::failed)},
        // several requests of one moment may have failed
        {&m::too_late, set(s::closing) | after_shim, set(k::failed)},
        {&m::cannot_be, before_shim, set(k::failed)},

        {&m::on_down, set(s::starting, s::up), set(k::down)},
        {&m::on_closed, set(s::closing), set(k::down)},
        {&m::on_adopting_down, set(s::adopting), set(k::down)},
        {&m::cannot_be, before_shim | after_shim, set(k::down)},

        {&m::on_adopted, set(s::adopting), set(k::adopted)},
        {&m::too_late, set(s::closing), set(k::adopted)},
        {&m::cannot_be, all & ~set(s::adopting, s::closing), set(k::adopted)},

        // a timer that is not the machine's present one does not come this far: see handle()
        {&m::on_start_overdue, set(s::starting), set(k::timer)},
        {&m::on_close_overdue, set(s::closing), set(k::timer)},
        {&m::on_adoption_overdue, set(s::adopting), set(k::timer)},
        {&m::cannot_be, before_shim | set(s::up) | after_shim, set(k::timer)},

        {&m::on_cleaned, set(s::cleaning), set(k::cleaned)},
        {&m::cannot_be, all & ~set(s::cleaning), set(k::cleaned)},
    };
    return rule_table::spread<sandbox_states, sandbox_event_kinds>(rules);
  }
  static const rule_table::cells<handler, sandbox_states, sandbox_event_kinds> cells;
};

constexpr rule_table::cells<sandbox_machine::handler, sandbox_states, sandbox_event_kinds>
    sandbox_machine::table::cells = sandbox_machine::table::spread();

} // namespace tank
