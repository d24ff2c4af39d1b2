#include "io/safetensors.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "cosformer/error.h"
#include "io/atomic_file.h"

namespace cosformer::io {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kAlignment = 8;  // of the first tensor, so that a mapping can be used in place
constexpr uint64_t kLongestHeader = 100'000'000;  // the format's own limit
constexpr const char* kMetadata = "__metadata__";

std::string text_of(const std::vector<int64_t>& shape) {
  return Json(shape).dump();
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

/// Reads the header's JSON; a name that occurs twice is an error, which a plain parse would hide.
Json parse_header(std::string_view text, const std::string& file) {
  std::set<std::string> names;
  std::string repeated;
  const auto note_names = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::key && depth == 1 && !names.insert(parsed.get<std::string>()).second) {
      repeated = parsed.get<std::string>();
    }
    return true;
  };
  Json header = Json::parse(text, note_names, false);
  if (header.is_discarded() || !header.is_object()) {
    throw FormatError(file + ": header: expected a JSON object, got something else");
  }
  if (!repeated.empty())
    throw FormatError(file + ": " + repeated + ": expected one tensor of that name, got two");
  return header;
}

struct Entry {
  TensorBytes tensor;
  uint64_t begin = 0, end = 0;
};

bool is_size(const Json& json) {
  return json.is_number_unsigned() && json.get<uint64_t>() <= uint64_t{INT64_MAX};
}

Entry parse_entry(const std::string& name, const Json& json, const std::string& file) {
  const std::string place = file + ": " + name + ": ";
  const bool complete = json.is_object() && json.size() == 3 && json.contains("dtype") &&
                        json["dtype"].is_string() && json.contains("shape") && json["shape"].is_array() &&
                        json.contains("data_offsets") && json["data_offsets"].is_array();
  if (!complete) throw FormatError(place + "expected dtype, shape and data_offsets, got " + json.dump());
  const Json& shape = json["shape"];
  const Json& offsets = json["data_offsets"];
  if (!std::all_of(shape.begin(), shape.end(), is_size)) {
    throw FormatError(place + "shape: expected sizes, got " + shape.dump());
  }
  if (offsets.size() != 2 || !is_size(offsets[0]) || !is_size(offsets[1]) || offsets[0] > offsets[1]) {
    throw FormatError(place + "data_offsets: expected [begin, end], got " + offsets.dump());
  }
  Entry entry{{name, json["dtype"], shape, {}}, offsets[0], offsets[1]};
  uint64_t bytes = 0;
  if (dtype_size(entry.tensor.dtype) == 0) {
    throw FormatError(place + "dtype: expected one such as F32, got " + json["dtype"].dump());
  }
  if (!byte_count(entry.tensor.dtype, entry.tensor.shape, bytes) || bytes != entry.end - entry.begin) {
    throw FormatError(place + "data_offsets: expected the bytes of " + entry.tensor.dtype + ' ' +
                      text_of(entry.tensor.shape) + ", got " + std::to_string(entry.end - entry.begin));
  }
  return entry;
}

void read_metadata(const Json& json, std::map<std::string, std::string>& metadata, const std::string& file) {
  for (const auto& [key, value] : json.items()) {
    if (!json.is_object() || !value.is_string()) {
      throw FormatError(file + ": " + kMetadata + ": expected an object of strings, got " + json.dump());
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
      throw FormatError(file + ": " + entry.tensor.name + ": expected its bytes from " + std::to_string(end) +
                        " on, got " + std::to_string(entry.begin));
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

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorBytes>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  uint64_t offset = 0;
  for (const TensorBytes& tensor : tensors) {
    uint64_t bytes = 0;
    const std::string place = path.string() + ": " + tensor.name + ": ";
    if (!byte_count(tensor.dtype, tensor.shape, bytes) || bytes != tensor.bytes.size()) {
      throw FormatError(place + "expected the bytes of " + tensor.dtype + ' ' + text_of(tensor.shape) +
                        ", got " + std::to_string(tensor.bytes.size()));
    }
    if (header.contains(tensor.name)) throw FormatError(place + "expected one tensor of that name, got two");
    header[tensor.name] = {
        {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  std::string file(kLengthBytes, '\0');
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    file[i] = static_cast<char>(static_cast<uint64_t>(text.size()) >> (8 * i));
  }
  file += text;
  std::vector<std::span<const std::byte>> parts = {std::as_bytes(std::span(file))};
  for (const TensorBytes& tensor : tensors) parts.push_back(tensor.bytes);
  write_file(path, parts);
}

}  // namespace cosformer::io
