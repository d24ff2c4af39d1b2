#include "io/safetensors.h"

#include <cstring>
#include <map>
#include <vector>

#include "cosformer/error.h"
#include "io/safetensors_file.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace cosformer::io::test {
namespace {

class SafetensorsTest : public cosformer::test::FolderTest {
 protected:
  std::string message_of(const std::string& header, const std::string& bytes) {
    const auto path = write("file", safetensors_file(header, bytes));
    const std::string message = cosformer::test::message_of<FormatError>([&] { Safetensors file(path); });
    EXPECT_EQ(message.find(path.string() + ": "), 0U) << message;
    return message.substr(std::min(message.size(), path.string().size() + 2));
  }
  void expect_error(const std::string& header, const std::string& bytes, const std::string& part) {
    const std::string message = message_of(header, bytes);
    EXPECT_NE(message.find(part), std::string::npos) << header.substr(0, 200) << "\n" << message;
  }
};

TensorBytes tensor(const std::string& name, const std::string& dtype, std::vector<int64_t> shape,
                   const std::string& bytes) {
  return {name, dtype, std::move(shape), std::as_bytes(std::span(bytes))};
}

TEST_F(SafetensorsTest, RoundTrip) {
  const std::string six(24, 'x'), half = "ab", none;
  const std::vector<TensorBytes> tensors = {
      tensor("weight", "F32", {2, 3}, six), tensor("empty", "I64", {0, 7}, none),
      tensor("scalar \"\n\xc3\xa9", "BF16", {}, half), tensor("also empty", "F64", {0}, none)};
  const auto path = folder_ / "file";
  write_safetensors(path, tensors, {{"format", "pt"}, {"note", "a\nb"}});
  const Safetensors file(path);
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"format", "pt"}, {"note", "a\nb"}}));
  ASSERT_EQ(file.tensors().size(), tensors.size());
  std::map<std::string, TensorBytes> read;
  for (const TensorBytes& t : file.tensors()) read[t.name] = t;
  for (const TensorBytes& t : tensors) {
    ASSERT_EQ(read.count(t.name), 1U) << t.name;
    EXPECT_EQ(read[t.name].dtype, t.dtype);
    EXPECT_EQ(read[t.name].shape, t.shape);
    ASSERT_EQ(read[t.name].bytes.size(), t.bytes.size());
    EXPECT_TRUE(std::equal(t.bytes.begin(), t.bytes.end(), read[t.name].bytes.begin())) << t.name;
  }
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(read["weight"].bytes.data()) % 8, 0U)
      << "the first tensor can be used in place";
}

TEST_F(SafetensorsTest, EqualTensorsGiveEqualBytes) {
  const std::string four = "abcd";
  for (const char* name : {"a", "b"}) {
    write_safetensors(folder_ / name, {tensor("x", "U8", {4}, four), tensor("y", "I32", {1}, four)},
                      {{"k", "v"}});
  }
  EXPECT_EQ(cosformer::test::read_text(folder_ / "a"), cosformer::test::read_text(folder_ / "b"));
}

TEST_F(SafetensorsTest, NoTensorsAreAFile) {
  write_safetensors(folder_ / "file", {});
  EXPECT_TRUE(Safetensors(folder_ / "file").tensors().empty());
  EXPECT_TRUE(Safetensors(write("bare", safetensors_file("{}", ""))).tensors().empty());
}

TEST_F(SafetensorsTest, ReadsWhatOthersWrite) {
  // Entries in any order, blanks, padding behind the header.
  const std::string header =
      header_of({entry("b", "F16", " [1, 2] ", "3", "7 "), entry("a", "U8", "[3]\n", "0", "3")})
          .append("     ");
  const Safetensors file(write("file", safetensors_file(header, "abcdefg")));
  ASSERT_EQ(file.tensors().size(), 2U);
  EXPECT_EQ(file.tensors()[0].name, "a") << "in the order of the bytes";
  EXPECT_EQ(std::memcmp(file.tensors()[1].bytes.data(), "defg", 4), 0);
}

TEST_F(SafetensorsTest, RefusesToWriteWhatDoesNotFit) {
  const std::string four = "abcd";
  const auto error = [&](const std::vector<TensorBytes>& tensors,
                         const std::map<std::string, std::string>& m = {}) {
    return cosformer::test::message_of<FormatError>([&] { write_safetensors(folder_ / "file", tensors, m); });
  };
  EXPECT_NE(error({tensor("x", "F32", {2}, four)}).find("\"x\": expected the bytes of F32 [2], got 4"),
            std::string::npos);
  EXPECT_NE(error({tensor("x", "F31", {1}, four)}), "");
  EXPECT_NE(error({tensor("x", "F32", {-1, -1}, four)}), "");
  EXPECT_NE(error({tensor("x", "U8", {4}, four), tensor("x", "U8", {4}, four)}).find("got two"),
            std::string::npos);
  EXPECT_NE(error({tensor("__metadata__", "U8", {4}, four)}), "");
  EXPECT_NE(error({tensor("\xff", "U8", {4}, four)}).find("UTF-8"), std::string::npos);
  EXPECT_NE(error({}, {{"key", "\xff"}}).find("UTF-8"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "file"));
}

TEST_F(SafetensorsTest, HeaderOfAbsurdLength) {
  for (const uint64_t length : {uint64_t{11}, uint64_t{100'000'001}, uint64_t{1} << 32, uint64_t{1} << 63,
                                UINT64_MAX, UINT64_MAX - 7, UINT64_MAX - 8}) {
    std::string file = safetensors_file("{}", "01234567");
    for (int i = 0; i < 8; ++i) file[i] = static_cast<char>(length >> (8 * i));
    const auto path = write("file", file);
    EXPECT_NE(
        cosformer::test::message_of<FormatError>([&] { Safetensors read(path); }).find("got a length of"),
        std::string::npos)
        << length;
  }
  for (std::size_t size = 0; size < 8; ++size) {
    const auto path = write("file", std::string(size, '\0'));
    EXPECT_NE(
        cosformer::test::message_of<FormatError>([&] { Safetensors read(path); }).find("at least 8 bytes"),
        std::string::npos);
  }
}

TEST_F(SafetensorsTest, HeaderThatIsNoObject) {
  for (const char* header : {"", "[]", "null", "1", "\"x\"", "{", "}", "{]", "{}{}", "{} x", " {}",
                             "{\"a\":}", "nan", "{\"\xff\":1}", "{'a':1}", "{\"a\":1,}"}) {
    expect_error(header, "", "expected a JSON object");
  }
}

TEST_F(SafetensorsTest, DeepNestingTakesNeitherStackNorMemory) {
  const std::size_t megabytes10 = 10'000'000;
  expect_error(std::string(megabytes10, '['), "", "expected a JSON object");
  expect_error("{\"a\":" + std::string(megabytes10, '['), "", "expected a JSON object");
  std::string objects;
  for (int i = 0; i < 1'000'000; ++i) objects += "{\"a\":";
  expect_error(objects, "", "expected a JSON object");
  expect_error("{\"__metadata__\":{\"a\":[[1]]}}", "", "expected a JSON object");
  EXPECT_EQ(Safetensors(write("file", safetensors_file(
                                          header_of({entry("a[[[[{\\\"\\\\", "U8", "[1]", "0", "1")}), "x")))
                .tensors()[0]
                .name,
            "a[[[[{\"\\")
      << "brackets in names do not count";
}

TEST_F(SafetensorsTest, ManyEntriesTakeSeconds) {
  std::vector<std::string> entries;
  for (int i = 0; i < 100'000; ++i) entries.push_back(entry(std::to_string(i), "U8", "[0]", "0", "0"));
  EXPECT_EQ(Safetensors(write("file", safetensors_file(header_of(entries), ""))).tensors().size(), 100'000U);
}

TEST_F(SafetensorsTest, OffsetsThatDoNotFit) {
  const auto two = [&](const char* b0, const char* e0, const char* b1, const char* e1,
                       const std::string& bytes, const std::string& part) {
    expect_error(header_of({entry("a", "U8", "[4]", b0, e0), entry("b", "U8", "[4]", b1, e1)}), bytes, part);
  };
  two("0", "4", "0", "4", "01234567", "\"b\": expected its bytes from 4 on, got 0");
  two("0", "4", "2", "6", "01234567", "\"b\": expected its bytes from 4 on, got 2");
  two("0", "4", "5", "9", "012345678", "\"b\": expected its bytes from 4 on, got 5");
  two("1", "5", "5", "9", "012345678", "\"a\": expected its bytes from 0 on, got 1");
  two("0", "4", "4", "8", "0123456", "expected 8 bytes of tensors, got 7");
  two("0", "4", "4", "8", "012345678", "expected 8 bytes of tensors, got 9");
  two("4", "0", "4", "8", "01234567", "\"a\": data_offsets: expected [begin, end], got [4,0]");
  two("0", "4", "4", "4", "0123", "\"b\": data_offsets: expected the bytes of U8 [4], got 0");
  two("0", "4", "18446744073709551612", "18446744073709551616", "0123",
      "\"b\": data_offsets: expected [begin, end]");
  two("0", "4", "9223372036854775803", "9223372036854775807", "0123", "\"b\": expected its bytes from 4 on");
  two("0", "4", "-4", "0", "0123", "\"b\": data_offsets: expected [begin, end], got [-4,0]");
  two("0", "4", "4.0", "8.0", "01234567", "\"b\": data_offsets: expected [begin, end]");
  two("0", "4", "null", "8", "01234567", "\"b\": data_offsets: expected [begin, end]");
  for (const char* offsets : {"[]", "[0]", "[0,1,1]", "0", "{}", "\"0,1\""}) {
    expect_error(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":)" + std::string(offsets) + "}}", "x",
                 "expected");
  }
}

TEST_F(SafetensorsTest, ShapesThatDoNotFit) {
  const auto shape = [&](const std::string& text, const std::string& part) {
    expect_error(header_of({entry("a", "F32", text, "0", "8")}), "01234567", part);
  };
  shape("[3]", "expected the bytes of F32 [3], got 8");
  shape("[2,0]", "expected the bytes of F32 [2,0], got 8");
  shape("[-2]", "shape: expected sizes, got [-2]");
  shape("[2.0]", "shape: expected sizes, got [2.0]");
  shape("[\"2\"]", "shape: expected sizes");
  shape("[null]", "shape: expected sizes");
  shape("2", "expected dtype, shape and data_offsets");
  shape("[4611686018427387906]", "expected the bytes of");        // times 4 = 8 modulo 2^64
  shape("[2147483648,2147483648,2,2]", "expected the bytes of");  // 2^64 and so 0 modulo it
  shape("[18446744073709551615]", "shape: expected sizes");
  shape("[0,9223372036854775807,9223372036854775807]", "expected the bytes of");
  shape("[9223372036854775807,9223372036854775807,0]", "expected the bytes of");
}

TEST_F(SafetensorsTest, DtypesThatAreNone) {
  for (const char* dtype : {"", "f32", "F31", "F32 ", "FLOAT"}) {
    expect_error(header_of({entry("a", dtype, "[1]", "0", "4")}), "0123", "dtype: expected one such as F32");
  }
  expect_error(R"({"a":{"dtype":1,"shape":[1],"data_offsets":[0,4]}})", "0123",
               "expected dtype, shape and data_off");
}

TEST_F(SafetensorsTest, EntriesThatAreIncompleteOrTwice) {
  for (const char* header :
       {R"({"a":1})", R"({"a":{}})", R"({"a":[]})", R"({"a":{"dtype":"U8","shape":[1]}})",
        R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":1}})",
        R"({"a":{"dtype":"U8","shape":[1],"offsets":[0,1]}})"}) {
    expect_error(header, "x", "\"a\": expected dtype, shape and data_offsets");
  }
  const std::string a = entry("a", "U8", "[1]", "0", "1");
  expect_error(header_of({a, a}), "x", "\"a\": expected one entry of that name, got two");
  expect_error(header_of({a, entry("\\u0061", "U8", "[0]", "1", "1")}), "x", "got two");
  expect_error(R"({"a":{"dtype":"F64","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x", "\"dtype\"");
  expect_error(R"({"__metadata__":{},"__metadata__":{}})", "", "got two");
  expect_error(R"({"__metadata__":{"k":"1","k":"2"}})", "", "\"k\"");
}

TEST_F(SafetensorsTest, MetadataThatIsNoText) {
  for (const char* metadata :
       {"1", "[1]", "{\"k\":1}", "{\"k\":null}", "\"text\"", "{\"k\":[]}", "[\"text\"]"}) {
    expect_error(std::string("{\"__metadata__\":") + metadata + "}", "", "expected an object of strings");
  }
}

TEST_F(SafetensorsTest, MessagesAreShortLines) {
  const std::string message = message_of("{\"a\\n" + std::string(100'000, 'x') + "\":1}", "");
  EXPECT_LT(message.size(), 1000U);
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace cosformer::io::test
