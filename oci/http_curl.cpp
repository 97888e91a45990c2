#include "oci/http_curl.hpp"

#include "base/file.hpp"
#include "base/thread.hpp"
#include "oci/http_exchange.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <atomic>
#include <climits>
#include <condition_variable>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>
#include <thread>
#include <utility>

namespace tank::oci {

namespace {

struct easy_deleter {
  void operator()(CURL* handle) const noexcept { ::curl_easy_cleanup(handle); }
};
struct multi_deleter {
  void operator()(CURLM* handle) const noexcept { ::curl_multi_cleanup(handle); }
};
struct list_deleter {
  void operator()(curl_slist* list) const noexcept { ::curl_slist_free_all(list); }
};
using easy_handle = std::unique_ptr<CURL, easy_deleter>;
using header_list = std::unique_ptr<curl_slist, list_deleter>;
using exchange_ptr = std::shared_ptr<http_exchange>;

constexpr std::size_t max_authorities = 16u << 20;

/// One running transfer of the engine's thread.
struct transfer {
  exchange_ptr exchange;
  easy_handle easy;
  header_list headers;
  std::array<char, CURL_ERROR_SIZE> text{};
};

std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) {
  auto& x = *static_cast<http_exchange*>(self);
  return x.take_header({data, size}) ? size : 0;
}

std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
  auto& x = *static_cast<http_exchange*>(self);
  // Never paused: of an HTTP/2 stream libcurl would take 32 MiB into memory nevertheless. What
  // keeps a fast sender back is that nobody reads the socket, see engine::rest.
  const bool wanted = x.take_body(std::as_bytes(std::span{data, size}));
  return wanted ? size : size + 1; // any other number than size ends the transfer
}

/// Whether a request may go to that address; notes it when not.
bool permits(http_exchange& x, std::string_view address) {
  const auto home = x.request().sent_from;
  const auto zone = zone_of(address);
  if (!home || may_send(*home, zone)) return true;
  x.refused = zone;
  return false;
}

/// In place of libcurl's own: before anything is sent to the address.
curl_socket_t on_socket(void* self, curlsocktype, curl_sockaddr* to) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* raw =
      to->family == AF_INET6
          ? static_cast<const void*>(&reinterpret_cast<sockaddr_in6*>(&to->addr)->sin6_addr)
          : &reinterpret_cast<sockaddr_in*>(&to->addr)->sin_addr;
  const bool known = (to->family == AF_INET || to->family == AF_INET6) &&
                     ::inet_ntop(to->family, raw, text.data(), text.size()) != nullptr;
  if (!known || !permits(*static_cast<http_exchange*>(self), text.data())) return CURL_SOCKET_BAD;
  return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/// Also for a connection that was made for another request.
int on_connected(void* self, char* address, char*, int, int) {
  auto& x = *static_cast<http_exchange*>(self);
  x.set_peer(address);
  return permits(x, address) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

errc kind_of(CURLcode code) {
  switch (code) {
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_RESOLVE_PROXY:
    return errc::not_found;
  case CURLE_OPERATION_TIMEDOUT:
    return errc::timeout;
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CACERT_BADFILE:
    return errc::denied;
  case CURLE_SSL_CONNECT_ERROR:
    return errc::unsupported;
  case CURLE_WRITE_ERROR:
    return errc::limit; // only a head that is too large is refused
  case CURLE_OUT_OF_MEMORY:
    return errc::io;
  case CURLE_URL_MALFORMAT:
  case CURLE_UNSUPPORTED_PROTOCOL:
    return errc::invalid;
  default:
    return errc::unavailable;
  }
}

error failed_transfer(const transfer& t, CURLcode code) {
  if (const auto zone = t.exchange->refused)
    return fail(errc::denied, "reach", t.exchange->request().url.origin(),
                "it has " + std::string{to_string(*zone)} + ", and the registry is not there")
        .value();
  const auto kind = kind_of(code);
  std::string cause = t.text[0] != '\0' ? t.text.data() : ::curl_easy_strerror(code);
  if (kind == errc::limit) cause = "its answer has more than 64 KiB of headers";
  std::string hint;
  if (kind == errc::denied)
    hint = "put its authority into /etc/containers/certs.d/" +
           t.exchange->request().url.origin().substr(8) + "/ca.crt";
  return fail(kind, "reach", t.exchange->request().url.origin(), std::move(cause), std::move(hint))
      .value();
}

curl_blob blob_of(const std::string& text) {
  return {const_cast<char*>(text.data()), text.size(), CURL_BLOB_COPY};
}

void set_trust(CURL* easy, const tls_trust& trust, const std::string& authorities) {
  ::curl_easy_setopt(easy, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  if (!trust.verify) {
    ::curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    ::curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  } else if (!trust.extra_authorities.empty()) {
    const auto both = authorities + "\n" + trust.extra_authorities;
    const auto all = blob_of(both);
    ::curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &all);
  }
  if (trust.certificate.empty()) return;
  const auto certificate = blob_of(trust.certificate);
  const auto key = blob_of(trust.key);
  ::curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &certificate);
  ::curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
}

} // namespace

/// A thread with connections of its own. Documents share one; each bulk transfer has one for itself
/// while it lasts, because one that waits for its reader stands still as a whole.
class curl_transport::engine {
 public:
  engine(http_settings settings, cancellation& stop)
      : settings_(std::move(settings))
      , shared_(std::make_shared<shared>())
      , stop_(stop, [s = shared_] { s->end(); }) {}

  ~engine() {
    shared_->end();
    if (thread_.joinable()) thread_.join();
    const std::lock_guard lock{shared_->mutex};
    shared_->multi = nullptr;
  }

  result<void> start() {
    static const CURLcode once = ::curl_global_init(CURL_GLOBAL_DEFAULT);
    multi_.reset(::curl_multi_init());
    if (once != CURLE_OK || !multi_) return fail(errc::io, "start", "libcurl", "out of memory");
    // Keep what many layers from a few hosts use.
    ::curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, 16L);
    shared_->multi = multi_.get();
    thread_ = quiet_thread([this] { loop(); });
    return {};
  }

  /// Of bulk engines: nobody has it, or takes it now.
  bool take() { return !shared_->busy.exchange(true); }

  exchange_ptr submit(const http_request& request) {
    auto exchange = std::make_shared<http_exchange>(request, settings_.window);
    if (!shared_->push({order::start, exchange})) exchange->finish(cancelled(request.url));
    return exchange;
  }

  std::unique_ptr<byte_source> body_of(exchange_ptr exchange) {
    return std::make_unique<body>(shared_, std::move(exchange));
  }

 private:
  struct order {
    enum what : std::uint8_t { start, resume, drop } kind;
    exchange_ptr exchange;
  };

  static error cancelled(const http_url& url) {
    return fail(errc::cancelled, "reach", url.origin(), "no longer wanted").value();
  }

  /// What others hold of the engine; lives as long as the last body.
  struct shared {
    std::atomic<bool> busy{false};
    std::mutex mutex; ///< guards what follows
    std::condition_variable changed;
    std::vector<order> orders;
    CURLM* multi = nullptr; ///< only to wake it
    bool ended = false;

    bool push(order o) {
      const std::lock_guard lock{mutex};
      if (ended) return false;
      orders.push_back(std::move(o));
      wake();
      return true;
    }
    void end() {
      const std::lock_guard lock{mutex};
      ended = true;
      wake();
    }

   private:
    void wake() {
      if (multi != nullptr) ::curl_multi_wakeup(multi);
      changed.notify_all();
    }
  };

  class body final : public byte_source {
   public:
    body(std::shared_ptr<shared> s, exchange_ptr x)
        : shared_(std::move(s))
        , exchange_(std::move(x)) {}
    ~body() override { shared_->push({order::drop, exchange_}); }

    result<std::span<const std::byte>> next() override {
      bool resume = false;
      if (!TANK_TRY(exchange_->next(piece_, resume))) return std::span<const std::byte>{};
      if (resume) shared_->push({order::resume, exchange_});
      return std::span<const std::byte>{piece_};
    }

   private:
    std::shared_ptr<shared> shared_;
    exchange_ptr exchange_;
    std::vector<std::byte> piece_;
  };

  void loop() {
    while (take_orders()) {
      int running = 0;
      ::curl_multi_perform(multi_.get(), &running);
      collect();
      rest();
    }
    for (auto& [easy, t] : transfers_) {
      ::curl_multi_remove_handle(multi_.get(), easy);
      t->exchange->finish(cancelled(t->exchange->request().url));
    }
    transfers_.clear();
    const std::lock_guard lock{shared_->mutex};
    for (const auto& o : shared_->orders)
      o.exchange->finish(cancelled(o.exchange->request().url));
    shared_->orders.clear();
  }

  /// Until there is something to do. While a reader is behind, the network is not looked at: then
  /// the sender waits too.
  void rest() {
    const bool full = std::any_of(transfers_.begin(), transfers_.end(),
                                  [](const auto& entry) { return entry.second->exchange->full(); });
    if (!full) {
      ::curl_multi_poll(multi_.get(), nullptr, 0, INT_MAX, nullptr);
      return;
    }
    std::unique_lock lock{shared_->mutex};
    shared_->changed.wait(lock, [this] { return shared_->ended || !shared_->orders.empty(); });
  }

  /// False when it is over.
  bool take_orders() {
    std::vector<order> orders;
    {
      const std::lock_guard lock{shared_->mutex};
      if (shared_->ended) return false;
      orders.swap(shared_->orders);
    }
    for (auto& o : orders) {
      if (o.kind == order::start) {
        begin(std::move(o.exchange));
        continue;
      }
      const auto it = std::find_if(transfers_.begin(), transfers_.end(), [&](const auto& entry) {
        return entry.second->exchange == o.exchange;
      });
      if (o.kind == order::resume) continue; // that it was woken is all
      if (it != transfers_.end()) {
        o.exchange->finish(std::nullopt);
        ::curl_multi_remove_handle(multi_.get(), it->first);
        transfers_.erase(it);
      }
      shared_->busy = false; // its body is gone
    }
    return true;
  }

  void begin(exchange_ptr exchange) {
    auto t = std::make_unique<transfer>();
    t->exchange = std::move(exchange);
    t->easy.reset(::curl_easy_init());
    if (!t->easy || !prepare(*t)) {
      t->exchange->finish(failed_transfer(*t, CURLE_OUT_OF_MEMORY));
      return;
    }
    CURL* easy = t->easy.get();
    if (::curl_multi_add_handle(multi_.get(), easy) != CURLM_OK) {
      t->exchange->finish(failed_transfer(*t, CURLE_OUT_OF_MEMORY));
      return;
    }
    transfers_.emplace(easy, std::move(t));
  }

  bool prepare(transfer& t) {
    const auto& r = t.exchange->request();
    CURL* easy = t.easy.get();
    const auto set = [easy](CURLoption option, auto value) {
      ::curl_easy_setopt(easy, option, value);
    };
    set(CURLOPT_URL, r.url.to_string().c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PATH_AS_IS, 1L);
    set(CURLOPT_NETRC, long{CURL_NETRC_IGNORED});
    set(CURLOPT_ERRORBUFFER, t.text.data());
    set(CURLOPT_USERAGENT, settings_.agent.c_str());
    set(CURLOPT_HEADERFUNCTION, &on_header);
    set(CURLOPT_HEADERDATA, t.exchange.get());
    set(CURLOPT_WRITEFUNCTION, &on_body);
    set(CURLOPT_WRITEDATA, t.exchange.get());
    set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_2TLS});
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings_.connect_limit.count()));
    if (!r.bulk) set(CURLOPT_TIMEOUT_MS, static_cast<long>(settings_.whole_limit.count()));
    set(CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(settings_.stall_rate));
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(settings_.stall_limit.count()));
    if (r.bulk) set(CURLOPT_BUFFERSIZE, 256L * 1024);
    const auto& proxy = r.url.secure ? settings_.https_proxy : settings_.http_proxy;
    const bool direct = proxy.empty() || bypasses_proxy(settings_.no_proxy, r.url.host);
    // Said even when empty: libcurl would read the environment otherwise. It gets no list of its
    // own to read: who is asked directly is decided here alone.
    set(CURLOPT_PROXY, direct ? "" : proxy.c_str());
    set(CURLOPT_NOPROXY, "");
    if (direct) { // else the address would be the proxy's, which looks names up itself
      set(CURLOPT_OPENSOCKETFUNCTION, &on_socket);
      set(CURLOPT_OPENSOCKETDATA, t.exchange.get());
      set(CURLOPT_PREREQFUNCTION, &on_connected);
      set(CURLOPT_PREREQDATA, t.exchange.get());
    }
    if (r.method == "HEAD") set(CURLOPT_NOBODY, 1L);
    if (r.method == "POST") {
      set(CURLOPT_POSTFIELDSIZE, static_cast<long>(r.body.size()));
      set(CURLOPT_COPYPOSTFIELDS, r.body.c_str());
    }
    if (r.url.secure) set_trust(easy, r.trust, authorities(r.trust));
    return add_headers(t);
  }

  bool add_headers(transfer& t) {
    for (const auto& [name, value] : t.exchange->request().headers) {
      auto* longer = ::curl_slist_append(t.headers.get(), (name + ": " + value).c_str());
      if (longer == nullptr) return false;
      (void)t.headers.release();
      t.headers.reset(longer);
    }
    ::curl_easy_setopt(t.easy.get(), CURLOPT_HTTPHEADER, t.headers.get());
    return true;
  }

  /// The system's bundle as text: extra ones do not replace it.
  const std::string& authorities(const tls_trust& trust) {
    if (authorities_ || !trust.verify || trust.extra_authorities.empty())
      return authorities_ ? *authorities_ : none_;
    const auto* info = ::curl_version_info(CURLVERSION_NOW);
    const bool known = info->age >= CURLVERSION_SEVENTH && info->cainfo != nullptr;
    auto text =
        read_file(known ? info->cainfo : "/etc/ssl/certs/ca-certificates.crt", max_authorities);
    authorities_ = text ? *std::move(text) : std::string{};
    return *authorities_;
  }

  void collect() {
    int left = 0;
    while (const auto* m = ::curl_multi_info_read(multi_.get(), &left)) {
      if (m->msg != CURLMSG_DONE) continue;
      const auto code = m->data.result;
      const auto it = transfers_.find(m->easy_handle);
      if (it == transfers_.end()) continue;
      auto& t = *it->second;
      t.exchange->finish(code == CURLE_OK ? std::nullopt : std::optional{failed_transfer(t, code)});
      ::curl_multi_remove_handle(multi_.get(), it->first);
      transfers_.erase(it);
    }
  }

  const http_settings settings_;
  std::shared_ptr<shared> shared_;
  cancellation::subscription stop_;
  std::unique_ptr<CURLM, multi_deleter> multi_;
  std::map<CURL*, std::unique_ptr<transfer>> transfers_; ///< before multi_: gone first
  std::optional<std::string> authorities_;
  const std::string none_;
  std::thread thread_; ///< uses all of the above
};

curl_transport::curl_transport(http_settings settings, cancellation& stop)
    : settings_(std::move(settings))
    , stop_(stop) {}
curl_transport::~curl_transport() = default;

result<std::unique_ptr<curl_transport>> curl_transport::start(http_settings settings,
                                                              cancellation& stop) {
  std::unique_ptr<curl_transport> out{new curl_transport{std::move(settings), stop}};
  out->documents_ = std::make_unique<engine>(out->settings_, stop);
  TANK_TRY(out->documents_->start());
  return out;
}

result<curl_transport::engine*> curl_transport::bulk_engine() {
  const std::lock_guard lock{mutex_};
  for (const auto& e : bulk_)
    if (e->take()) return e.get();
  auto fresh = std::make_unique<engine>(settings_, stop_);
  TANK_TRY(fresh->start());
  fresh->take();
  bulk_.push_back(std::move(fresh));
  return bulk_.back().get();
}

result<http_response> curl_transport::send(const http_request& request) {
  engine& by = request.bulk ? *TANK_TRY(bulk_engine()) : *documents_;
  auto exchange = by.submit(request);
  auto body = by.body_of(exchange); // also takes the exchange away on an error
  auto answer = exchange->head();
  if (!answer) return answer;
  answer->body = std::move(body);
  return answer;
}

result<std::string> read_body(byte_source& body, std::size_t limit, const std::string& name) {
  std::string text;
  for (;;) {
    const auto bytes = TANK_TRY(body.next());
    if (bytes.empty()) return text;
    if (bytes.size() > limit - text.size())
      return fail(errc::limit, "read", name, "larger than " + std::to_string(limit) + " bytes");
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
}

} // namespace tank::oci
