/// What a container does in which state on which event; private to container_machine.cpp.
#pragma once

#include "pod/container_machine.hpp"
#include "pod/rule_table.hpp"

namespace tank {

struct container_machine::table {
  using m = container_machine;
  using s = container_state;
  using k = container_event_kind;

  static constexpr auto spread() {
    using rule_table::set;
    constexpr auto all = (1U << container_states) - 1;
    constexpr auto before_shim =
        set(s::waiting, s::resolving, s::found, s::preparing, s::abandoning, s::prepared);
    constexpr auto coming_up = set(s::creating, s::parked, s::built, s::released);
    constexpr auto up = set(s::running, s::stopping);
    constexpr auto with_shim = coming_up | up | set(s::killing);
    constexpr auto news = set(k::ready, k::built, k::running);

    constexpr rule_table::rule<handler> rules[] = {
        {&m::on_begin, set(s::waiting, s::ended), set(k::begin)},
        {&m::cannot_be, all & ~set(s::waiting, s::ended), set(k::begin)},

        {&m::on_image_found, set(s::resolving), set(k::image_found)},
        {&m::on_image_missing, set(s::resolving), set(k::image_missing)},
        // told to stop meanwhile, and nobody waits for the image
        {&m::too_late, set(s::waiting, s::ended), set(k::image_found, k::image_missing)},
        {&m::cannot_be, all & ~set(s::waiting, s::resolving, s::ended),
         set(k::image_found, k::image_missing)},

        {&m::on_prepare, set(s::found), set(k::prepare)},
        {&m::cannot_be, all & ~set(s::found), set(k::prepare)},
        {&m::on_prepared, set(s::preparing), set(k::prepared)},
        {&m::on_not_prepared, set(s::preparing), set(k::not_prepared)},
        {&m::on_abandoned, set(s::abandoning), set(k::prepared, k::not_prepared)},
        {&m::cannot_be, all & ~set(s::preparing, s::abandoning), set(k::prepared, k::not_prepared)},

        {&m::on_create, set(s::prepared), set(k::create)},
        {&m::cannot_be, all & ~set(s::prepared), set(k::create)},

        {&m::on_release, set(s::built), set(k::release)},
        {&m::cannot_be, all & ~set(s::built), set(k::release)},

        {&m::on_ready, set(s::creating), set(k::ready)},
        {&m::on_built, set(s::parked), set(k::built)},
        {&m::on_running, set(s::released), set(k::running)},
        // crossed our abort or kill, or the end that a lost connection was taken for
        {&m::too_late, set(s::killing, s::ended), news},
        {&m::cannot_be, before_shim | up, news},
        {&m::cannot_be, set(s::creating), set(k::built, k::running)},
        {&m::cannot_be, set(s::parked), set(k::ready, k::running)},
        {&m::cannot_be, set(s::built), news},
        {&m::cannot_be, set(s::released), set(k::ready, k::built)},

        {&m::on_end, with_shim, set(k::ended)},
        {&m::on_late_end, set(s::ended), set(k::ended)},
        {&m::cannot_be, before_shim, set(k::ended)},

        {&m::on_held, coming_up | up, set(k::held)},
        // killed already: its end comes as an event of its own, or is told here
        {&m::on_held, set(s::killing), set(k::held)},
        {&m::too_late, before_shim | set(s::ended), set(k::held)},

        {&m::on_session_down, with_shim, set(k::session_down)},
        {&m::too_late, before_shim | set(s::ended), set(k::session_down)},

        {&m::on_stop_idle, set(s::waiting, s::resolving, s::found, s::prepared), set(k::stop)},
        {&m::on_stop_preparing, set(s::preparing), set(k::stop)},
        {&m::on_stop_parked, set(s::creating, s::parked, s::built), set(k::stop)},
        {&m::on_stop_released, set(s::released), set(k::stop)},
        {&m::on_stop_running, set(s::running), set(k::stop)},
        {&m::on_stop_again, set(s::stopping), set(k::stop)},
        {&m::too_late, set(s::abandoning, s::killing, s::ended), set(k::stop)},

        // a timer that is not the machine's present one does not come this far: see handle()
        {&m::on_bring_up_overdue, coming_up & ~set(s::built), set(k::timer)},
        {&m::on_waits, set(s::built), set(k::timer)},
        {&m::on_grace_over, set(s::stopping), set(k::timer)},
        {&m::on_kill_overdue, set(s::killing), set(k::timer)},
        {&m::cannot_be, before_shim | set(s::running, s::ended), set(k::timer)},
    };
    return rule_table::spread<container_states, container_event_kinds>(rules);
  }
  static const rule_table::cells<handler, container_states, container_event_kinds> cells;
};

constexpr rule_table::cells<container_machine::handler, container_states, container_event_kinds>
    container_machine::table::cells = container_machine::table::spread();

} // namespace tank
