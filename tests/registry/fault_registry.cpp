#include "tests/registry/fault_registry.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace tank::testing {

namespace {

[[noreturn]] void broken(const char* what) {
  std::fprintf(stderr, "fault_registry: %s\n", what);
  std::abort();
}

void add_extension(X509* certificate, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  auto* extension = ::X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  if (extension == nullptr) broken("certificate extension");
  ::X509_add_ext(certificate, extension, -1);
  ::X509_EXTENSION_free(extension);
}

/// A self-signed certificate and its server context.
std::shared_ptr<void> make_tls(std::string& pem) {
  std::unique_ptr<EVP_PKEY, decltype(&::EVP_PKEY_free)> key{::EVP_EC_gen("P-256"),
                                                            &::EVP_PKEY_free};
  std::unique_ptr<X509, decltype(&::X509_free)> certificate{::X509_new(), &::X509_free};
  if (!key || !certificate) broken("key");
  ::X509_set_version(certificate.get(), 2);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(certificate.get()), 1);
  ::X509_gmtime_adj(::X509_getm_notBefore(certificate.get()), -3600);
  ::X509_gmtime_adj(::X509_getm_notAfter(certificate.get()), 86400);
  auto* name = ::X509_get_subject_name(certificate.get());
  ::X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("fault registry"), -1, -1, 0);
  ::X509_set_issuer_name(certificate.get(), name);
  ::X509_set_pubkey(certificate.get(), key.get());
  add_extension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate.get(), NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  if (::X509_sign(certificate.get(), key.get(), ::EVP_sha256()) == 0) broken("signature");
  std::unique_ptr<BIO, decltype(&::BIO_free)> memory{::BIO_new(::BIO_s_mem()), &::BIO_free};
  ::PEM_write_bio_X509(memory.get(), certificate.get());
  char* data = nullptr;
  const auto size = BIO_get_mem_data(memory.get(), &data);
  pem.assign(data, static_cast<std::size_t>(size));
  SSL_CTX* context = ::SSL_CTX_new(::TLS_server_method());
  if (context == nullptr || ::SSL_CTX_use_certificate(context, certificate.get()) != 1 ||
      ::SSL_CTX_use_PrivateKey(context, key.get()) != 1)
    broken("TLS context");
  return {context, [](void* c) { ::SSL_CTX_free(static_cast<SSL_CTX*>(c)); }};
}

const char* phrase(int status) {
  return status == 200 ? "OK" : "Other";
}

} // namespace

/// One connection, until either side ends it.
class fault_registry::connection {
 public:
  connection(fault_registry& of, unique_fd fd) : of_(of), fd_(std::move(fd)) {
    if (!of_.tls_) return;
    ssl_ = ::SSL_new(static_cast<SSL_CTX*>(of_.tls_.get()));
    ::SSL_set_fd(ssl_, fd_.get());
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection() { ::SSL_free(ssl_); }

  void serve() {
    if (ssl_ != nullptr && ::SSL_accept(ssl_) != 1) return;
    seen_request r;
    while (read_request(r)) {
      of_.note(r);
      if (!send_reply(of_.answer_(r), r.method == "HEAD")) return;
      r = {};
    }
  }

 private:
  /// Whoever waits here ends with the server.
  bool readable() {
    if (ssl_ != nullptr && ::SSL_pending(ssl_) > 0) return true;
    std::array<pollfd, 2> fds{pollfd{fd_.get(), POLLIN, 0}, pollfd{of_.stop_.get(), POLLIN, 0}};
    return ::poll(fds.data(), fds.size(), -1) > 0 && (fds[1].revents & POLLIN) == 0;
  }
  bool fill() {
    if (!readable()) return false;
    std::array<char, 16384> piece{};
    const auto n = ssl_ != nullptr
                       ? ::SSL_read(ssl_, piece.data(), static_cast<int>(piece.size()))
                       : static_cast<int>(::recv(fd_.get(), piece.data(), piece.size(), 0));
    if (n <= 0) return false;
    buffer_.append(piece.data(), static_cast<std::size_t>(n));
    return true;
  }
  bool put(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto n =
          ssl_ != nullptr
              ? ::SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
              : static_cast<int>(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  bool read_request(seen_request& r) {
    std::size_t end = std::string::npos;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
      if (!fill() || buffer_.front() == '\x16') return false; // TLS, to one that has none
    std::string head = buffer_.substr(0, end + 2);
    buffer_.erase(0, end + 4);
    const auto first = head.substr(0, head.find("\r\n"));
    r.method = first.substr(0, first.find(' '));
    r.target = first.substr(first.find(' ') + 1, first.rfind(' ') - first.find(' ') - 1);
    for (auto at = first.size() + 2; at < head.size();) {
      const auto stop = head.find("\r\n", at);
      const auto line = head.substr(at, stop - at);
      at = stop + 2;
      const auto colon = line.find(':');
      auto key = line.substr(0, colon);
      std::transform(key.begin(), key.end(), key.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      r.headers[key] = line.substr(std::min(line.find_first_not_of(' ', colon + 1), line.size()));
    }
    const auto length = static_cast<std::size_t>(std::atoi(r.header("content-length").c_str()));
    while (buffer_.size() < length)
      if (!fill()) return false;
    r.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return true;
  }

  /// False when the connection is to be closed.
  bool send_reply(const reply& r, bool head_only) {
    std::string head = "HTTP/1.1 " + std::to_string(r.status) + " " + phrase(r.status) + "\r\n";
    const bool chunked = r.chunked || r.repeat > 1;
    bool has_length = false;
    for (const auto& [key, value] : r.headers) {
      head += key + ": " + value + "\r\n";
      has_length = has_length || key == "Content-Length";
    }
    if (chunked)
      head += "Transfer-Encoding: chunked\r\n";
    else if (!has_length)
      head += "Content-Length: " + std::to_string(r.body.size()) + "\r\n";
    if (!put(head + "\r\n")) return false;
    if (head_only) return true;
    const auto body = std::string_view{r.body}.substr(0, std::min(r.cut, r.body.size()));
    if (chunked) {
      char size[32];
      std::snprintf(size, sizeof size, "%zx\r\n", body.size());
      for (std::uint64_t i = 0; i < r.repeat && !body.empty(); ++i)
        if (!put(size) || !put(body) || !put("\r\n")) return false;
      if (r.cut > r.body.size() && !put("0\r\n\r\n")) return false;
    } else if (!put(body)) {
      return false;
    }
    if (r.hang) {
      while (fill()) { // until the other side gives up
      }
      return false;
    }
    return r.cut > r.body.size();
  }

  fault_registry& of_;
  unique_fd fd_;
  SSL* ssl_ = nullptr;
  std::string buffer_;
};

fault_registry::fault_registry(handler answer, bool tls) : answer_(std::move(answer)) {
  ::signal(SIGPIPE, SIG_IGN); // OpenSSL writes without MSG_NOSIGNAL
  if (tls) tls_ = make_tls(certificate_);
  listener_ = unique_fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  stop_ = unique_fd{::eventfd(0, EFD_CLOEXEC)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_.get(), 64) != 0 ||
      ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    broken(std::strerror(errno));
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread{[this] { accept_loop(); }};
}

fault_registry::~fault_registry() {
  ::eventfd_write(stop_.get(), 1);
  acceptor_.join();
  for (auto& t : threads_)
    t.join();
}

void fault_registry::accept_loop() {
  for (;;) {
    std::array<pollfd, 2> fds{pollfd{listener_.get(), POLLIN, 0}, pollfd{stop_.get(), POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), -1) < 0 || (fds[1].revents & POLLIN) != 0) return;
    unique_fd fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    if (!fd) continue;
    {
      const std::lock_guard lock{mutex_};
      ++connections_;
    }
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    threads_.emplace_back([this, fd = std::move(fd)]() mutable {
      connection{*this, std::move(fd)}.serve();
    });
  }
}

void fault_registry::note(const seen_request& r) {
  const std::lock_guard lock{mutex_};
  seen_.push_back(r);
  news_.notify_all();
}

std::vector<seen_request> fault_registry::seen() const {
  const std::lock_guard lock{mutex_};
  return seen_;
}

std::size_t fault_registry::connections() const {
  const std::lock_guard lock{mutex_};
  return connections_;
}

std::size_t fault_registry::count(const std::string& part_of_target) const {
  const auto all = seen();
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const auto& r) {
    return r.target.find(part_of_target) != std::string::npos;
  }));
}

void fault_registry::await(const std::string& part) const {
  std::unique_lock lock{mutex_};
  news_.wait(lock, [&] {
    return std::any_of(seen_.begin(), seen_.end(),
                       [&](const auto& r) { return r.target.find(part) != std::string::npos; });
  });
}

} // namespace tank::testing
