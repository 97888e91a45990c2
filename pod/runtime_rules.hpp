/// What a runtime does in which state on which event; private to runtime_machine.cpp.
#pragma once

#include "pod/runtime_machine.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace tank {

namespace runtime_rules {

using kind = runtime_event_kind;
using state = runtime_state;

/// Sets of states and of events, as bits.
template <class... S>
constexpr std::uint32_t in(S... states) {
  return ((1U << static_cast<unsigned>(states)) | ...);
}
template <class... K>
constexpr std::uint32_t on(K... events) {
  return ((1U << static_cast<unsigned>(events)) | ...);
}
template <class E>
constexpr bool has(std::uint32_t set, E e) {
  return (set >> static_cast<unsigned>(e) & 1U) != 0;
}

constexpr auto all_states = (1U << runtime_states) - 1;
constexpr auto of_image = on(kind::image_ready, kind::image_failed);
constexpr auto of_worker = on(kind::prepared, kind::prepare_failed);
constexpr auto news = on(kind::child_ready, kind::child_built, kind::child_running);
constexpr auto ends =
    on(kind::child_exited, kind::child_signaled, kind::child_aborted, kind::child_failed);
constexpr auto of_session = news | ends | on(kind::session_failed, kind::session_down);
constexpr auto coming_up = in(state::spawned, state::ready, state::built);
constexpr auto up = in(state::running, state::attached);
constexpr auto going_down = in(state::stopping, state::killing);
constexpr auto before_session = in(state::image, state::preparing, state::abandoning);

} // namespace runtime_rules

/// Each rule names what happens in some states on some events. Every cell of the product is named
/// by exactly one rule, or this does not compile.
struct runtime_machine::table {
  using m = runtime_machine;
  struct rule {
    handler act;
    std::uint32_t states;
    std::uint32_t events;
  };
  using row = std::array<handler, runtime_event_kinds>;

  static constexpr std::array<row, runtime_states> spread() {
    using namespace runtime_rules;
    constexpr rule rules[] = {
        {&m::on_image_ready, in(state::image), on(kind::image_ready)},
        {&m::on_image_failed, in(state::image), on(kind::image_failed)},
        // told to stop meanwhile, and nobody waits for the image
        {&m::too_late, in(state::cleaning), of_image},
        {&m::cannot_be, ~in(state::image, state::cleaning, state::done), of_image},

        {&m::on_prepared, in(state::preparing), on(kind::prepared)},
        {&m::on_prepare_failed, in(state::preparing), on(kind::prepare_failed)},
        {&m::on_abandoned, in(state::abandoning), of_worker},
        {&m::cannot_be, ~in(state::preparing, state::abandoning, state::done), of_worker},

        {&m::cannot_be, before_session, of_session},
        {&m::on_session_failed, coming_up, on(kind::session_failed)},
        {&m::on_session_lost, up | going_down, on(kind::session_failed)},
        // several verbs of one moment may have failed
        {&m::too_late, in(state::closing, state::cleaning), on(kind::session_failed)},

        {&m::on_ready, in(state::spawned), on(kind::child_ready)},
        {&m::on_built, in(state::ready), on(kind::child_built)},
        {&m::on_running, in(state::built), on(kind::child_running)},
        // crossed our abort, kill or shutdown
        {&m::too_late, in(state::killing, state::closing), news},
        {&m::cannot_be, in(state::spawned), on(kind::child_built, kind::child_running)},
        {&m::cannot_be, in(state::ready), on(kind::child_ready, kind::child_running)},
        {&m::cannot_be, in(state::built), on(kind::child_ready, kind::child_built)},
        {&m::cannot_be, up | in(state::stopping, state::cleaning), news},

        {&m::on_end, coming_up | up | going_down, ends},
        {&m::on_late_end, in(state::closing), ends},
        {&m::cannot_be, in(state::cleaning), ends | on(kind::session_down)},
        {&m::on_session_down, coming_up | up | going_down, on(kind::session_down)},
        {&m::on_closed, in(state::closing), on(kind::session_down)},

        {&m::on_not_adopted, in(state::adopting), on(kind::session_failed)},
        {&m::on_adopting_down, in(state::adopting), on(kind::session_down)},
        // nothing comes before the greeting
        {&m::cannot_be, in(state::adopting), news | ends},
        {&m::on_adopted, in(state::adopting), on(kind::adopted)},
        {&m::cannot_be, ~in(state::adopting, state::done), on(kind::adopted)},
        {&m::on_stop_adopting, in(state::adopting), on(kind::stop)},
        {&m::on_adoption_overdue, in(state::adopting), on(kind::timer)},

        {&m::on_stop_idle, in(state::image), on(kind::stop)},
        {&m::on_stop_preparing, in(state::preparing), on(kind::stop)},
        {&m::on_stop_parked, in(state::spawned, state::ready), on(kind::stop)},
        {&m::on_stop_released, in(state::built), on(kind::stop)},
        {&m::on_stop_running, up, on(kind::stop)},
        {&m::on_stop_again, in(state::stopping), on(kind::stop)},
        {&m::on_stop_late, in(state::abandoning, state::killing, state::closing, state::cleaning),
         on(kind::stop)},

        // a timer that is not of this state does not come this far: see handle()
        {&m::on_bring_up_overdue, coming_up, on(kind::timer)},
        {&m::on_grace_over, in(state::stopping), on(kind::timer)},
        {&m::on_kill_overdue, in(state::killing), on(kind::timer)},
        {&m::on_close_overdue, in(state::closing), on(kind::timer)},
        {&m::cannot_be, before_session | up | in(state::cleaning), on(kind::timer)},

        {&m::on_cleaned, in(state::cleaning), on(kind::cleaned)},
        {&m::cannot_be, ~in(state::cleaning, state::done), on(kind::cleaned)},

        {&m::on_begin_attach, in(state::running), on(kind::begin_attach)},
        {&m::on_attach_again, in(state::attached), on(kind::begin_attach)},
        {&m::on_attach_not_running, ~up, on(kind::begin_attach)},
        {&m::on_end_attach, all_states, on(kind::end_attach)},
        {&m::on_attach_over, in(state::attached), on(kind::attach_over)},
        {&m::on_attach_over_at_the_end, going_down, on(kind::attach_over)},
        {&m::cannot_be, before_session | coming_up | in(state::running), on(kind::attach_over)},
        // closing and a lost connection have taken its events back
        {&m::too_late, in(state::closing, state::cleaning, state::adopting), on(kind::attach_over)},

        {&m::too_late, in(state::done), ~on(kind::begin_attach, kind::end_attach)},
    };

    std::array<row, runtime_states> cells{};
    std::array<std::array<bool, runtime_event_kinds>, runtime_states> named{};
    for (const auto& r : rules)
      for (std::size_t s = 0; s < runtime_states; ++s)
        for (std::size_t e = 0; e < runtime_event_kinds; ++e) {
          if (!has(r.states, s) || !has(r.events, e)) continue;
          if (std::exchange(named[s][e], true)) throw "two rules for one cell";
          cells[s][e] = r.act;
        }
    for (const auto& r : named)
      for (const bool is_named : r)
        if (!is_named) throw "a cell without a rule";
    return cells;
  }
  static const std::array<row, runtime_states> rows;
};

constexpr std::array<runtime_machine::table::row, runtime_states> runtime_machine::table::rows =
    runtime_machine::table::spread();

} // namespace tank
