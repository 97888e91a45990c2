#include "oci/changes.hpp"

#include <doctest/doctest.h>

namespace changes_test {

using namespace tank;
using namespace tank::oci;

namespace {
using list = std::vector<std::string>;
image_config after(const list& instructions) {
  image_config c;
  for (const auto& i : instructions) {
    const auto done = apply_change(c, i);
    CHECK_MESSAGE(done, (done ? "" : done.error().message()));
  }
  return c;
}
} // namespace

TEST_CASE("instructions change the configuration as a Dockerfile would") {
  CHECK(after({R"(CMD ["httpd", "-f"])"}).cmd == list{"httpd", "-f"});
  CHECK(after({"cmd httpd -f"}).cmd == list{"/bin/sh", "-c", "httpd -f"});
  CHECK(after({"CMD a", "CMD"}).cmd.empty());
  CHECK(after({"ENTRYPOINT [ \"/e\" ]"}).entrypoint == list{"/e"});
  CHECK(after({R"(ENV A=1 B="two words" C=a\ b)", "ENV A=2", "ENV D  old style "}).env ==
        list{"A=2", "B=two words", "C=a b", "D=old style"});
  CHECK(after({"WORKDIR /a", "WORKDIR b/../c"}).working_dir == "/a/c");
  CHECK(after({"WORKDIR x"}).working_dir == "/x");
  CHECK(after({"  USER  1000:web  "}).user == "1000:web");
  CHECK(after({"STOPSIGNAL SIGQUIT"}).stop_signal == "SIGQUIT");
  CHECK(after({"EXPOSE 80 53/udp 80/tcp 1-2"}).exposed_ports ==
        list{"80/tcp", "53/udp", "1-2/tcp"});
  CHECK(after({"VOLUME /a /b", R"(VOLUME ["/a b"])"}).volumes == list{"/a", "/b", "/a b"});
  const auto c = after({"LABEL b=1 a='x y'"});
  CHECK(c.labels == std::vector<std::pair<std::string, std::string>>{{"a", "x y"}, {"b", "1"}});
}

TEST_CASE("what is no instruction is refused") {
  for (const auto* text : {"", "RUN rm -rf /", "ENV", "ENV A", "ENV =x", "ENV A=\"1", "CMD [1]",
                           "CMD [\"a\"", "EXPOSE 0", "EXPOSE 65536", "EXPOSE 80/ftp", "EXPOSE 9-8",
                           "VOLUME relative", "VOLUME [\"x\"]", "USER", "LABEL x"}) {
    image_config c;
    CHECK_MESSAGE(!apply_change(c, text), text);
  }
}

} // namespace changes_test
