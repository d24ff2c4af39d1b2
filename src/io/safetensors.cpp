#include "io/safetensors.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "cosformer/error.h"
#include "io/atomic_file.h"
#include "io/xml_text.h"

namespace cosformer::io {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kAlignment = 8;  // of the first tensor, so that a mapping can be used in place
constexpr uint64_t kLongestHeader = 100'000'000;  // the format's own limit
constexpr std::size_t kLongestShown = 120;
constexpr const char* kMetadata = "__metadata__";

/// For a message: one line, not long, whatever the file holds.
std::string shown(const Json& json) {
  return shortened(json.dump(-1, ' ', false, Json::error_handler_t::replace), kLongestShown);
}

/// Bytes of a tensor; false where the product leaves what a file can hold.
bool byte_count(const std::string& dtype, const std::vector<int64_t>& shape, uint64_t& bytes) {
  bytes = dtype_size(dtype);
  if (bytes == 0) return false;
  for (const int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)) return false;
  }
  return bytes <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
}

/// Reads a header for what a plain parse hides or pays dearly for: a name that occurs twice in one object,
/// and deep nesting, at which it stops.
class HeaderCheck : public nlohmann::json_sax<Json> {
 public:
  const std::string& repeated() const { return repeated_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    if (depth_ < kDeepest) names_[depth_].clear();
    return ++depth_ <= kDeepest;
  }
  bool key(string_t& name) override {
    if (!names_[depth_ - 1].insert(name).second) repeated_ = shown(name);
    return true;
  }
  bool end_object() override { return --depth_ >= 0; }
  bool start_array(std::size_t) override { return ++depth_ <= kDeepest; }
  bool end_array() override { return --depth_ >= 0; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  static constexpr int kDeepest = 3;  // the header, a tensor, its shape
  int depth_ = 0;
  std::set<std::string> names_[kDeepest];  // of the objects that are open
  std::string repeated_;
};

Json parse_header(std::string_view text, const std::string& file) {
  HeaderCheck check;
  // The format wants the brace first; blanks may follow the object, not precede it.
  const bool sound = text.starts_with('{') && Json::sax_parse(text, &check);
  if (!sound) throw FormatError(file + ": header: expected a JSON object of tensors, got something else");
  if (!check.repeated().empty()) {
    throw FormatError(file + ": header: " + check.repeated() + ": expected one entry of that name, got two");
  }
  return Json::parse(text);
}

struct Entry {
  TensorBytes tensor;
  uint64_t begin = 0, end = 0;
};

bool is_size(const Json& json) {
  return json.is_number_unsigned() && json.get<uint64_t>() <= uint64_t{INT64_MAX};
}

Entry parse_entry(const std::string& name, const Json& json, const std::string& file) {
  const std::string place = file + ": " + shown(name) + ": ";
  const bool complete = json.is_object() && json.size() == 3 && json.contains("dtype") &&
                        json["dtype"].is_string() && json.contains("shape") && json["shape"].is_array() &&
                        json.contains("data_offsets") && json["data_offsets"].is_array();
  if (!complete) throw FormatError(place + "expected dtype, shape and data_offsets, got " + shown(json));
  const Json& shape = json["shape"];
  const Json& offsets = json["data_offsets"];
  if (!std::all_of(shape.begin(), shape.end(), is_size)) {
    throw FormatError(place + "shape: expected sizes, got " + shown(shape));
  }
  if (offsets.size() != 2 || !is_size(offsets[0]) || !is_size(offsets[1]) || offsets[0] > offsets[1]) {
    throw FormatError(place + "data_offsets: expected [begin, end], got " + shown(offsets));
  }
  Entry entry{{name, json["dtype"], shape, {}}, offsets[0], offsets[1]};
  uint64_t bytes = 0;
  if (dtype_size(entry.tensor.dtype) == 0) {
    throw FormatError(place + "dtype: expected one such as F32, got " + shown(json["dtype"]));
  }
  if (!byte_count(entry.tensor.dtype, entry.tensor.shape, bytes) || bytes != entry.end - entry.begin) {
    throw FormatError(place + "data_offsets: expected the bytes of " + entry.tensor.dtype + ' ' +
                      shown(entry.tensor.shape) + ", got " + std::to_string(entry.end - entry.begin));
  }
  return entry;
}

void read_metadata(const Json& json, std::map<std::string, std::string>& metadata, const std::string& file) {
  for (const auto& [key, value] : json.items()) {
    if (!json.is_object() || !value.is_string()) {
      throw FormatError(file + ": " + kMetadata + ": expected an object of strings, got " + shown(json));
    }
    metadata[key] = value;
  }
}

}  // namespace

std::size_t dtype_size(const std::string& dtype) {
  static const std::map<std::string, std::size_t> kSizes = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"U16", 2}, {"I16", 2}, {"F16", 2},
      {"BF16", 2}, {"U32", 4}, {"I32", 4}, {"F32", 4},     {"U64", 8},     {"I64", 8}, {"F64", 8}};
  const auto found = kSizes.find(dtype);
  return found == kSizes.end() ? 0 : found->second;
}

Safetensors::Safetensors(const std::filesystem::path& path) : file_(path) {
  const std::string file = path.string();
  const auto bytes = file_.bytes();
  if (bytes.size() < kLengthBytes) {
    throw FormatError(file + ": expected at least 8 bytes, got " + std::to_string(bytes.size()));
  }
  uint64_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) length |= std::to_integer<uint64_t>(bytes[i]) << (8 * i);
  const uint64_t left = bytes.size() - kLengthBytes;
  if (length > std::min(left, kLongestHeader)) {
    throw FormatError(file + ": expected a header of at most " +
                      std::to_string(std::min(left, kLongestHeader)) + " bytes, got a length of " +
                      std::to_string(length));
  }
  const Json header = parse_header(file_.text().substr(kLengthBytes, length), file);
  const auto data = bytes.subspan(kLengthBytes + length);
  std::vector<Entry> entries;
  for (const auto& [name, json] : header.items()) {
    if (name == kMetadata) {
      read_metadata(json, metadata_, file);
    } else {
      entries.push_back(parse_entry(name, json, file));
    }
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t end = 0;
  for (Entry& entry : entries) {
    if (entry.begin != end) {
      throw FormatError(file + ": " + shown(entry.tensor.name) + ": expected its bytes from " +
                        std::to_string(end) + " on, got " + std::to_string(entry.begin));
    }
    end = entry.end;
    if (end > data.size()) break;
    entry.tensor.bytes = data.subspan(entry.begin, entry.end - entry.begin);
    tensors_.push_back(std::move(entry.tensor));
  }
  if (end != data.size()) {
    throw FormatError(file + ": expected " + std::to_string(end) + " bytes of tensors, got " +
                      std::to_string(data.size()));
  }
}

SafetensorsParts::SafetensorsParts(const std::string& file, const std::vector<TensorBytes>& tensors,
                                   const std::map<std::string, std::string>& metadata)
    : header_(kLengthBytes, '\0') {
  Json header = Json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  uint64_t offset = 0;
  for (const TensorBytes& tensor : tensors) {
    uint64_t bytes = 0;
    const std::string place = file + ": " + shown(tensor.name) + ": ";
    if (!byte_count(tensor.dtype, tensor.shape, bytes) || bytes != tensor.bytes.size()) {
      throw FormatError(place + "expected the bytes of " + tensor.dtype + ' ' + shown(tensor.shape) +
                        ", got " + std::to_string(tensor.bytes.size()));
    }
    if (tensor.name == kMetadata) throw FormatError(place + "the format keeps this name for metadata");
    if (header.contains(tensor.name)) throw FormatError(place + "expected one tensor of that name, got two");
    header[tensor.name] = {
        {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::exception&) {
    throw FormatError(file + ": expected names and metadata in UTF-8, got other bytes");
  }
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    header_[i] = static_cast<char>(static_cast<uint64_t>(text.size()) >> (8 * i));
  }
  header_ += text;
  parts_ = {std::as_bytes(std::span(header_))};
  for (const TensorBytes& tensor : tensors) parts_.push_back(tensor.bytes);
}

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorBytes>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  write_file(path, SafetensorsParts(path.string(), tensors, metadata).parts());
}

}  // namespace cosformer::io
