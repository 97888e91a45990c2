#include "config/yaml.hpp"
#include "vectors.hpp"

#include <chrono>

namespace yaml_test {

namespace config = tank::config;
using config::node;

namespace {

nlohmann::json json_of(const node& n) {
  if (const auto* items = n.as_sequence()) {
    auto out = nlohmann::json::array();
    for (const auto& item : *items)
      out.push_back(json_of(item));
    return out;
  }
  if (const auto* members = n.as_mapping()) {
    auto out = nlohmann::json::object();
    for (const auto& m : *members)
      out[m.key] = json_of(m.value);
    return out;
  }
  if (const auto* text = n.as_string()) return *text;
  return nlohmann::json::parse(n.scalar_text());
}

/// The first document; the case fails when there is none.
node one(std::string_view text) {
  auto parsed = config::parse_text(text);
  REQUIRE_MESSAGE(parsed.errors.empty(), text);
  REQUIRE(parsed.documents.size() >= 1);
  return parsed.documents[0].root;
}

config::diagnostic why(std::string_view text, const config::manifest_limits& limits = {}) {
  auto parsed = config::parse_text(text, limits);
  REQUIRE(parsed.errors.size() == 1);
  CHECK(parsed.documents.empty());
  return parsed.errors[0];
}

std::string repeated(std::string_view part, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i)
    text += part;
  return text;
}

} // namespace

TEST_CASE("every scalar vector resolves as in Kubernetes") {
  if (!config::test::have_corpus()) return;
  int seen = 0;
  for (const auto& row : config::test::rows("yaml_scalar_vectors.tsv")) {
    const auto text = nlohmann::json::parse(row.at(0)).get<std::string>();
    CAPTURE(text);
    ++seen;
    const auto parsed = config::parse_text(text);
    if (row.at(1).starts_with("ERROR")) {
      CHECK(parsed.errors.size() == 1);
      continue;
    }
    REQUIRE_MESSAGE(parsed.errors.empty(), parsed.errors[0].reason);
    const auto value = parsed.documents.empty() ? node{} : parsed.documents[0].root;
    CHECK(json_of(value) == nlohmann::json::parse(row.at(1)));
  }
  CHECK(seen == 106);
}

TEST_CASE("an alias bomb is refused before it is expanded") {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const auto last = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    bomb += repeated(last + " , ", 10) + "]\n";
  }
  CHECK(why(bomb).reason.find("more than 200000 values") == 0);
}

TEST_CASE("a bomb of long strings is refused, too") {
  const auto text =
      "a: &a \"" + std::string(100'000, 'x') + "\"\nb: [" + repeated("*a , ", 1000) + "]";
  CHECK(why(text).reason.find("bytes of text") != std::string::npos);
}

TEST_CASE("a mapping that merges itself doubling is refused") {
  std::string text = "a0: &a0 {k: {x: 1}, l: {x: 1}}\n";
  for (int i = 1; i < 40; ++i) {
    const auto last = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " {<<: " + last + ", m" +
            std::to_string(i) + ": " + last + "}\n";
  }
  CHECK(why(text).reason.find("more than 200000 values") == 0);
}

TEST_CASE("nesting is bounded, in flow and in block style, and through aliases") {
  CHECK(why(repeated("[\n", 5000) + repeated("]\n", 5000)).reason ==
        "nested deeper than 100 levels");
  CHECK(why(repeated("{a:\n", 5000) + repeated("}\n", 5000)).reason ==
        "nested deeper than 100 levels");
  CHECK(why(std::string(5000, '[')).reason.size() > 0);
  CHECK(why(repeated("- ", 5000)).reason == "nested deeper than 100 levels");
  CHECK(why(repeated("? ", 5000) + "a").reason.size() > 0);
  const auto half = repeated("[", 60) + repeated("]", 60);
  CHECK(why("a: &a " + half + "\nb: " + repeated("[", 60) + "*a" + repeated("]", 60)).reason ==
        "nested deeper than 100 levels");
  CHECK(config::parse_text(repeated("[", 100) + repeated("]", 100)).errors.empty());
}

TEST_CASE("a file beyond the limit is refused, one below it is read in bounded time") {
  CHECK(why(std::string((10u << 20) + 1, ' ')).reason == "the file is larger than 10485760 bytes");
  std::string text = "a:\n";
  while (text.size() < (2u << 20))
    text += "- name: some-name-of-a-thing # and a comment\n";
  CHECK(config::parse_text(text).errors.empty());
}

TEST_CASE("punctuation without end is refused before a parser holds it in memory") {
  CHECK(why(std::string(10u << 20, '[')).reason.find("too many values") == 0);
  CHECK(why("[" + repeated("a,", 4u << 20)).reason.find("too many values") == 0);
}

TEST_CASE("documents are counted") {
  CHECK(why(repeated("---\na: 1\n", 1001)).reason == "more than 1000 documents");
  CHECK(config::parse_text(repeated("---\na: 1\n", 3)).documents.size() == 3);
  CHECK(config::parse_text("").documents.size() <= 1);
}

TEST_CASE("a text that stops in the middle is an error, wherever it stops") {
  CHECK(why("a: {b: [1, 2").at.line == 1);
  CHECK(why("a: \"unfinished").reason.size() > 0);
  CHECK(why("{\"a\": 1,").reason.size() > 0);
  CHECK(why("{\"a\":").reason.size() > 0);
  CHECK(why("a: \"unfinished\n").reason.size() > 0);
  CHECK(why("a: 'unfinished\n  b: c\n").reason.size() > 0);
  CHECK(why("a: 'unfinished\n\n  ").reason.size() > 0);
  CHECK(why("a: {b: [1, 2\n").reason.size() > 0);
  CHECK(json_of(one("a: |\n  text"))["a"] == "text");
  CHECK(json_of(one("a: |\n  text\n"))["a"] == "text\n");
}

TEST_CASE("what is no text is refused with its place") {
  CHECK(why(std::string_view("a: b\0c", 6)).reason ==
        "control characters are not allowed (U+0000)");
  CHECK(why("a: b\nc: \x1b[31m").at == config::position{2, 4});
  CHECK(why("a: \xff\xfe").reason == "the text is not valid UTF-8");
  CHECK(why("a: \xc0\x80").reason == "the text is not valid UTF-8");
  CHECK(why("a: \xed\xa0\x80").reason == "the text is not valid UTF-8");
  CHECK(why(std::string_view("\xff\xfe{\0", 4)).reason == "the text is not valid UTF-8");
  CHECK(json_of(one("\xEF\xBB\xBF"
                    "a: b"))["a"] == "b");
}

TEST_CASE("KYAML is read with and without its leading marker") {
  const std::string_view body = R"({
  # a comment
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "web", # another
    labels: {"a/b": "c",},
  },
  spec: {
    containers: [{
      name: "web",
      command: ["sh", "-c", "a \
         b",],
    },],
  },
}
)";
  const auto plain = one(body);
  CHECK(plain == one("---\n" + std::string{body}));
  const auto json = json_of(plain);
  CHECK(json["metadata"]["labels"]["a/b"] == "c");
  CHECK(json["spec"]["containers"][0]["command"][2] == "a b");
}

TEST_CASE("JSON is read, compact and with its escapes") {
  const auto json = json_of(one("{\"a\":{\"b\":[1,2.5,\"x\\/"
                                "y\",\"\\u00e9\\ud83d\\ude00\"],\"c\":null,\"d\":\"\\\\ud83d\"}}"));
  CHECK(json["a"]["b"][2] == "x/y");
  CHECK(json["a"]["b"][3] == "\xc3\xa9\xf0\x9f\x98\x80");
  CHECK(json["a"]["c"].is_null());
  CHECK(json["a"]["d"] == "\\ud83d");
  CHECK(json_of(one("{\n\t\"a\":\t1,\n\t\"b\": [\n\t\t2\n\t]\n}"))["b"][0] == 2);
  CHECK(json_of(one(R"({"url":"http://x:80/y","t":true})"))["url"] == "http://x:80/y");
}

TEST_CASE("every value and key knows its place") {
  const auto root = one("a:\n  b:\n  - x: 1\n    z: 2\n");
  CHECK(locate(root, "a.b[0].z") == config::position{4, 5});
  CHECK(locate(root, "a.b[0].nothing") == config::position{3, 5});
  CHECK(locate(root, "a.b[7].x") == config::position{2, 3});
  CHECK(locate(root, "nothing") == root.at());
}

TEST_CASE("a key given twice is reported, and the last value counts") {
  const auto parsed = config::parse_text("a: 1\nb: {c: [{d: 1, d: 2}]}\na: 3\n");
  REQUIRE(parsed.documents.size() == 1);
  const auto& d = parsed.documents[0];
  REQUIRE(d.duplicates.size() == 2);
  CHECK(d.duplicates[0].field == "b.c[0].d");
  CHECK(d.duplicates[1].field == "a");
  CHECK(d.duplicates[1].at == config::position{3, 1});
  CHECK(json_of(d.root) == nlohmann::json::parse(R"({"a":3,"b":{"c":[{"d":2}]}})"));
}

TEST_CASE("own keys win over merged ones, earlier merged ones over later ones") {
  const auto json = json_of(one("x: &x {a: 1, b: 1, c: 1}\ny: &y {a: 2, b: 2, d: 2}\n"
                                "z:\n  b: 3\n  <<: [*y, *x]\n  d: 4\n"));
  CHECK(json["z"] == nlohmann::json::parse(R"({"a":2,"b":3,"c":1,"d":4})"));
  CHECK(why("a: {<<: 3}").reason == "map merge requires map or sequence of maps as the value");
  CHECK(json_of(one("a: {<<: {x: 1}}"))["a"]["x"] == 1);
}

TEST_CASE("an alias finds its anchor wherever that stands") {
  const auto json = json_of(one("a:\n- b\n- &n {k: &v [1, {l: &s text}]}\n- *n\nc: *v\nd: *s\n"
                                "e: {f: *n, *s : key}\n"));
  CHECK(json["a"][2] == json["a"][1]);
  CHECK(json["c"] == nlohmann::json::parse(R"([1,{"l":"text"}])"));
  CHECK(json["d"] == "text");
  CHECK(json["e"]["f"] == json["a"][1]);
  CHECK(json["e"]["text"] == "key");
  CHECK(why("a: &a {b: *a}").reason == "an anchor's value contains itself");
  CHECK(why("a: &a\n  b:\n  - c\n  - [x, *a]\n").at == config::position{4, 9});
}

TEST_CASE("a key that is no scalar is refused") {
  CHECK(why("{[a]: b}").reason == "a key must be a scalar");
  CHECK(why("? {a: b}\n: c").reason == "a key must be a scalar");
}

} // namespace yaml_test
