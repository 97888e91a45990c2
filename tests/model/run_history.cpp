#include "tests/model/run_history.hpp"

#include <array>

namespace tank::model {

namespace {

attempt_will random_attempt(rng& r) {
  static constexpr std::array<image_problem, 3> problems{
      image_problem::pull_failed, image_problem::never_pull, image_problem::invalid_name};
  const auto soon = [&] { return static_cast<ms>(r.below(4) * 3); };
  const auto perhaps = [&](unsigned never) {
    return r.chance(never) ? std::optional<ms>{} : std::optional{soon()};
  };
  attempt_will w;
  if (r.chance(10)) w.no_image = r.pick(problems);
  w.image_after = soon();
  w.prepares = !r.chance(4);
  w.is_created = !r.chance(4);
  w.built_after = perhaps(3);
  w.is_built = !r.chance(4);
  w.starts_after = perhaps(3);
  w.starts = !r.chance(5);
  if (r.chance(65)) w.runs_for = static_cast<ms>(r.below(r.chance(80) ? 12 : 60) * 7);
  if (r.chance(25)) w.ends_by = run::outcome::signaled;
  w.code = w.ends_by == run::outcome::signaled ? 9 : r.chance(40) ? 0 : 3;
  w.out_of_memory = r.chance(15) && w.code != 0;
  w.obeys_after = static_cast<ms>(r.below(5) * 700);
  if (r.chance(20)) w.obeys_after.reset();
  w.dies_after = r.chance(6) ? std::optional<ms>{} : std::optional<ms>{r.below(3) * 20};
  w.post_start_after = perhaps(8);
  w.post_start_works = !r.chance(15);
  w.pre_stop_after = r.chance(15) ? std::optional<ms>{} : std::optional<ms>{r.below(4) * 600};
  w.startup_after = r.chance(10) ? std::optional<ms>{} : std::optional<ms>{r.below(4) * 10};
  w.startup_passes = !r.chance(20);
  if (r.chance(30)) w.liveness_fails_after = static_cast<ms>(r.below(8) * 15);
  if (r.chance(50)) w.readiness_every = static_cast<ms>(10 + r.below(4) * 25);
  return w;
}

sandbox_will random_sandbox(rng& r) {
  sandbox_will w;
  w.prepares = !r.chance(5);
  w.prepares_after = static_cast<ms>(r.below(4) * 3);
  w.sandbox_first = r.chance(30);
  w.starts = !r.chance(4);
  w.greets_after = static_cast<ms>(r.below(3) * 4);
  if (r.chance(3)) w.greets_after.reset();
  w.goes_after = static_cast<ms>(r.below(3) * 20);
  if (r.chance(10)) w.goes_after.reset();
  w.ends_after = static_cast<ms>(r.below(3) * 20);
  if (r.chance(15)) w.ends_after.reset();
  w.lag = static_cast<ms>(r.below(3));
  return w;
}

incident random_incident(rng& r, ms at) {
  using k = incident::kind;
  static constexpr std::array<std::optional<std::chrono::seconds>, 4> graces{
      std::nullopt, std::chrono::seconds{0}, std::chrono::seconds{1}, std::chrono::seconds{3}};
  incident o;
  const auto dice = r.below(100);
  o.what = dice < 15   ? k::stop
           : dice < 65 ? k::kill_daemon
           : dice < 85 ? k::cut
           : dice < 93 ? k::kill_shim
                       : k::fail_request;
  o.at = at;
  o.grace = r.pick(graces);
  o.actions = r.below(6);
  return o;
}

container_word random_word(rng& r, container_kind kind, bool simple) {
  static constexpr std::array<restart_policy, 3> policies{
      restart_policy::always, restart_policy::on_failure, restart_policy::never};
  container_word c;
  c.kind = kind;
  if (simple) return c;
  const bool plain = kind == container_kind::init;
  if (kind != container_kind::sidecar && r.chance(20)) c.policy = r.pick(policies);
  if (kind != container_kind::sidecar && r.chance(10)) c.again_on = r.chance(50) ? 3 : 137;
  if (kind != container_kind::sidecar && r.chance(8)) c.all_on = r.chance(50) ? 3 : 0;
  if (plain) return c;
  c.post_start = r.chance(15);
  c.pre_stop = r.chance(20);
  c.startup = r.chance(15);
  c.liveness = r.chance(15);
  c.readiness = r.chance(15);
  if (c.liveness && r.chance(40)) c.liveness_grace = static_cast<int>(r.below(4));
  return c;
}

} // namespace

restart_policy history::policy_of(std::size_t who) const {
  const auto& c = words[who];
  if (c.kind == container_kind::sidecar) return restart_policy::always;
  const auto said = c.policy.value_or(policy);
  const bool plain = c.kind == container_kind::init && said == restart_policy::always;
  return plain ? restart_policy::on_failure : said;
}

history history::random(rng& r) {
  static constexpr std::array<restart_policy, 5> policies{
      restart_policy::always, restart_policy::always, restart_policy::on_failure,
      restart_policy::on_failure, restart_policy::never};
  history h;
  static constexpr std::array<restart_strategy, 3> strategies{
      restart_strategy::one_for_one, restart_strategy::rest_for_one, restart_strategy::one_for_all};
  h.containers = 1 + r.below(5);
  h.policy = r.pick(policies);
  const bool simple = r.chance(25);
  const auto inits = simple || h.containers == 1 ? 0 : r.below(h.containers);
  for (std::size_t i = 0; i < h.containers; ++i) {
    const auto early = r.chance(50) ? container_kind::init : container_kind::sidecar;
    h.words.push_back(random_word(r, i < inits ? early : container_kind::main, simple));
  }
  if (!simple && r.chance(50)) h.strategy = r.pick(strategies);
  if (!simple && r.chance(15)) h.words.back().significant = true;
  h.first_at_once = r.chance(30);
  if (r.chance(30)) h.give_up = static_cast<std::uint32_t>(1 + r.below(4));
  h.grace = static_cast<int>(r.below(4));
  h.wills.resize(1 + r.below(6));
  for (auto& w : h.wills)
    w = random_attempt(r);
  h.sandboxes.resize(1 + r.below(2));
  for (auto& w : h.sandboxes)
    w = random_sandbox(r);
  h.welcomes.resize(1 + r.below(3));
  for (auto& w : h.welcomes)
    w = r.chance(80) ? welcome::taken : r.chance(60) ? welcome::busy : welcome::silent;
  h.lateness.resize(1 + r.below(3));
  for (auto& late : h.lateness)
    late = r.chance(70) ? 0 : static_cast<ms>(r.below(5));
  h.echoes = r.chance(20);
  h.left_alone = static_cast<ms>(r.below(9) * 50);
  ms t = 0;
  for (auto left = r.below(6); left > 0; --left) {
    t += static_cast<ms>(r.below(r.chance(80) ? 15 : 60) * 3);
    h.incidents.push_back(random_incident(r, t));
  }
  return h;
}

std::vector<history> history::simpler() const {
  std::vector<history> out;
  const auto with = [&](auto change) {
    out.push_back(*this);
    change(out.back());
  };
  without_parts(incidents,
                [&](auto rest) { with([&](auto& h) { h.incidents = std::move(rest); }); });
  const auto drop = [&](std::size_t i) {
    with([&](auto& h) {
      --h.containers;
      h.words.erase(h.words.begin() + static_cast<std::ptrdiff_t>(i));
    });
  };
  const bool one_main = containers > 1 && words[containers - 2].kind != container_kind::main;
  for (std::size_t i = 0; containers > 1 && i < containers; ++i)
    if (i + 1 < containers || !one_main) drop(i);
  for (std::size_t i = 0; i < containers; ++i) {
    const container_word plain{.kind = words[i].kind, .policy = {}};
    if (words[i] == plain) continue;
    with([&](auto& h) { h.words[i] = plain; });
    const auto each = [&](auto member) {
      if (words[i].*member != plain.*member)
        with([&](auto& h) { h.words[i].*member = plain.*member; });
    };
    each(&container_word::policy);
    each(&container_word::again_on);
    each(&container_word::all_on);
    each(&container_word::significant);
    each(&container_word::post_start);
    each(&container_word::pre_stop);
    each(&container_word::startup);
    each(&container_word::liveness);
    each(&container_word::readiness);
    each(&container_word::liveness_grace);
  }
  if (strategy != restart_strategy::one_for_one)
    with([&](auto& h) { h.strategy = restart_strategy::one_for_one; });
  if (wills.size() > 1) with([&](auto& h) { h.wills.pop_back(); });
  if (wills.size() > 1) with([&](auto& h) { h.wills.erase(h.wills.begin()); });
  if (sandboxes.size() > 1) with([&](auto& h) { h.sandboxes.pop_back(); });
  if (welcomes.size() > 1) with([&](auto& h) { h.welcomes.pop_back(); });
  if (lateness.size() > 1) with([&](auto& h) { h.lateness.pop_back(); });
  if (left_alone > 0) with([&](auto& h) { h.left_alone -= 50; });
  if (echoes) with([&](auto& h) { h.echoes = false; });
  if (give_up != 0) with([&](auto& h) { h.give_up = 0; });
  if (first_at_once) with([&](auto& h) { h.first_at_once = false; });
  if (grace != 0) with([&](auto& h) { h.grace = 0; });
  const attempt_will tame;
  for (std::size_t i = 0; i < wills.size(); ++i) {
    const auto& w = wills[i];
    if (w != tame) with([&](auto& h) { h.wills[i] = tame; });
    const auto each = [&](auto member) {
      if (w.*member != tame.*member) with([&](auto& h) { h.wills[i].*member = tame.*member; });
    };
    each(&attempt_will::no_image);
    each(&attempt_will::image_after);
    each(&attempt_will::prepares);
    each(&attempt_will::is_created);
    each(&attempt_will::built_after);
    each(&attempt_will::is_built);
    each(&attempt_will::starts_after);
    each(&attempt_will::starts);
    each(&attempt_will::runs_for);
    each(&attempt_will::out_of_memory);
    each(&attempt_will::code);
    each(&attempt_will::ends_by);
    each(&attempt_will::obeys_after);
    each(&attempt_will::dies_after);
    each(&attempt_will::post_start_after);
    each(&attempt_will::post_start_works);
    each(&attempt_will::pre_stop_after);
    each(&attempt_will::startup_after);
    each(&attempt_will::startup_passes);
    each(&attempt_will::liveness_fails_after);
    each(&attempt_will::readiness_every);
  }
  const sandbox_will good;
  for (std::size_t i = 0; i < sandboxes.size(); ++i) {
    const auto& w = sandboxes[i];
    if (w != good) with([&](auto& h) { h.sandboxes[i] = good; });
    const auto each = [&](auto member) {
      if (w.*member != good.*member) with([&](auto& h) { h.sandboxes[i].*member = good.*member; });
    };
    each(&sandbox_will::prepares);
    each(&sandbox_will::prepares_after);
    each(&sandbox_will::sandbox_first);
    each(&sandbox_will::starts);
    each(&sandbox_will::greets_after);
    each(&sandbox_will::goes_after);
    each(&sandbox_will::ends_after);
    each(&sandbox_will::lag);
  }
  for (std::size_t i = 0; i < welcomes.size(); ++i)
    if (welcomes[i] != welcome::taken) with([&](auto& h) { h.welcomes[i] = welcome::taken; });
  for (std::size_t i = 0; i < lateness.size(); ++i)
    if (lateness[i] != 0) with([&](auto& h) { h.lateness[i] = 0; });
  for (std::size_t i = 0; i < incidents.size(); ++i) {
    if (incidents[i].actions > 0) with([&](auto& h) { --h.incidents[i].actions; });
    if (incidents[i].grace) with([&](auto& h) { h.incidents[i].grace.reset(); });
  }
  return out;
}

static constexpr std::string_view policy_names[] = {"Always", "OnFailure", "Never"};

/// What the manifest says of a container.
static std::string text_of(const container_word& c) {
  std::string out = "  " + std::string{to_string(c.kind)};
  if (c.policy) out += ", " + std::string{policy_names[static_cast<std::size_t>(*c.policy)]};
  if (c.again_on) out += ", again on " + std::to_string(*c.again_on);
  if (c.all_on) out += ", all again on " + std::to_string(*c.all_on);
  for (const auto& [is, name] :
       {std::pair{c.significant, "significant"}, std::pair{c.post_start, "postStart"},
        std::pair{c.pre_stop, "preStop"}, std::pair{c.startup, "startup"},
        std::pair{c.liveness, "liveness"}, std::pair{c.readiness, "readiness"}})
    if (is) out += std::string{", "} + name;
  if (c.liveness_grace) out += ", liveness grace " + std::to_string(*c.liveness_grace) + " s";
  return out + "\n";
}

std::string history::text() const {
  const auto of = [](const std::optional<ms>& t) { return t ? std::to_string(*t) : "never"; };
  std::string out = "  " + std::to_string(containers) + " containers, " +
                    std::string{policy_names[static_cast<std::size_t>(policy)]} + ", grace " +
                    std::to_string(grace) + " s" + (first_at_once ? ", first at once" : "") +
                    (give_up != 0 ? ", give up after " + std::to_string(give_up) : "") +
                    (echoes ? ", timers echo" : "") + "\n";
  static constexpr std::string_view strategies[] = {"one_for_one", "rest_for_one", "one_for_all"};
  out += "  " + std::string{strategies[static_cast<std::size_t>(strategy)]} + "\n";
  for (const auto& c : words)
    out += text_of(c);
  for (std::size_t i = 0; i < wills.size(); ++i) {
    const auto& w = wills[i];
    out += "  start " + std::to_string(i) + " mod " + std::to_string(wills.size()) + ": " +
           (w.no_image ? "no image" : "image") + " after " + std::to_string(w.image_after) +
           (w.prepares ? "" : ", not prepared") + ", " + (w.is_created ? "" : "fails, ") +
           (w.is_built ? "built " : "fails ") + of(w.built_after) + ", " +
           (w.starts ? "runs " : "dies ") + of(w.starts_after) + ", ends " + of(w.runs_for) +
           (w.ends_by == run::outcome::signaled ? " by signal " : " with ") +
           std::to_string(w.code) + (w.out_of_memory ? " for memory" : "") + ", obeys " +
           of(w.obeys_after) + ", dies " + of(w.dies_after) + "\n";
    out += "    postStart " + of(w.post_start_after) + (w.post_start_works ? "" : " fails") +
           ", preStop " + of(w.pre_stop_after) + ", startup " + of(w.startup_after) +
           (w.startup_passes ? "" : " fails") + ", liveness fails " + of(w.liveness_fails_after) +
           ", readiness every " + std::to_string(w.readiness_every) + "\n";
  }
  for (std::size_t i = 0; i < sandboxes.size(); ++i) {
    const auto& w = sandboxes[i];
    out += "  sandbox " + std::to_string(i) + " mod " + std::to_string(sandboxes.size()) + ": " +
           (w.prepares ? "prepared" : "not prepared") + " after " +
           std::to_string(w.prepares_after) + (w.sandbox_first ? " first" : "") +
           (w.starts ? "" : ", does not start") + ", greets " + of(w.greets_after) + ", goes " +
           of(w.goes_after) + ", ends " + of(w.ends_after) + ", lag " + std::to_string(w.lag) +
           "\n";
  }
  static constexpr std::string_view answers[] = {"taken", "busy", "silent"};
  out += "  adoptions:";
  for (const auto w : welcomes)
    out += " " + std::string{answers[static_cast<std::size_t>(w)]};
  out += "; timers late by:";
  for (const auto late : lateness)
    out += " " + std::to_string(late);
  out += "; left alone for " + std::to_string(left_alone) + "\n";
  static constexpr std::string_view kinds[] = {"stop", "kill the daemon before action", "cut",
                                               "kill the shim", "fail the next request"};
  for (const auto& o : incidents) {
    out += "  " + std::to_string(o.at) +
           " ms: " + std::string{kinds[static_cast<std::size_t>(o.what)]};
    if (o.what == incident::kind::kill_daemon) out += " " + std::to_string(o.actions);
    if (o.what == incident::kind::stop && o.grace)
      out += " grace " + std::to_string(o.grace->count()) + " s";
    out += "\n";
  }
  return out;
}

run_settings history::settings() const {
  using std::chrono::milliseconds;
  run_settings s;
  s.name = "default/web";
  for (std::size_t i = 0; i < containers; ++i) {
    const auto& c = words[i];
    run_container to{.name = std::string(1, static_cast<char>('a' + i)),
                     .kind = c.kind,
                     .policy = {policy_of(i), {}},
                     .significant = c.significant,
                     .post_start = c.post_start,
                     .pre_stop = c.pre_stop,
                     .startup_probe = c.startup,
                     .liveness_probe = c.liveness,
                     .readiness_probe = c.readiness};
    if (c.again_on) to.policy.rules.push_back({true, {*c.again_on}, false});
    if (c.all_on) to.policy.rules.push_back({true, {*c.all_on}, true});
    if (c.liveness_grace) to.liveness_grace = std::chrono::seconds{*c.liveness_grace};
    s.containers.push_back(std::move(to));
  }
  s.strategy = strategy;
  s.profile.base = milliseconds{40};
  s.profile.cap = milliseconds{150};
  s.profile.stable = milliseconds{250};
  s.profile.first_at_once = first_at_once;
  if (give_up != 0) s.profile.give_up = {give_up, milliseconds{give_up_period}};
  s.grace = std::chrono::seconds{grace};
  s.limits = {.bring_up = milliseconds{200}, .close = milliseconds{60}, .adopt = milliseconds{90}};
  return s;
}

} // namespace tank::model
