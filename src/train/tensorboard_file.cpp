#include "train/tensorboard_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstring>

#include "io/folder.h"

namespace cosformer::train {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "events.out.tfevents.";

// --- checksums of records: CRC-32C, rotated and moved by a constant ---

constexpr std::array<uint32_t, 256> crc32c_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82F63B78U : 0U);
    table[i] = crc;
  }
  return table;
}

uint32_t masked_crc32c(std::string_view bytes) {
  static constexpr std::array<uint32_t, 256> kTable = crc32c_table();
  uint32_t crc = ~uint32_t{0};
  for (const char c : bytes) crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 0xFF] ^ (crc >> 8);
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8U;
}

/// Its bytes, the lowest first: the order of records and protocol buffers, and of the machines this runs on.
template <class T>
std::string bytes_of(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

// --- protocol buffers: a field is its number and wire type, then its value ---

enum Wire : uint64_t { kVarint = 0, kEightBytes = 1, kText = 2, kFourBytes = 5 };

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
std::string key(uint64_t number, Wire wire) {
  return varint(number << 3 | wire);
}
std::string field(uint64_t number, uint64_t value) {
  return key(number, kVarint) + varint(value);
}
std::string field(uint64_t number, double value) {
  return key(number, kEightBytes) + bytes_of(value);
}
std::string field(uint64_t number, float value) {
  return key(number, kFourBytes) + bytes_of(value);
}
std::string field(uint64_t number, const std::string& value) {
  return key(number, kText) + varint(value.size()) + value;
}

// --- messages, by the numbers of their fields in tensorflow/core's event.proto, summary.proto, tensor.proto
// ---

std::string event(double unix_seconds, int64_t step) {
  return field(1, unix_seconds) + field(2, static_cast<uint64_t>(step));
}

std::string summary(const std::string& tag, const std::string& value) {
  return field(5, field(1, field(1, tag) + value));
}

std::string text_value(const std::string& text) {
  const std::string plugin = field(1, field(1, std::string("text")));
  constexpr uint64_t kString = 7;
  const std::string one_element = field(2, field(2, field(1, uint64_t{1})));
  return field(9, plugin) + field(8, field(1, kString) + one_element + field(8, text));
}

fs::path new_path(const fs::path& folder) {
  io::make_folder(folder);
  // Readers take files in the order of their names, which a clock that was set back must not turn around.
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  for (const std::string& name : io::names_in(folder)) {
    int64_t of_other = 0;
    if (!name.starts_with(kPrefix)) continue;
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), of_other);
    if (of_other < INT64_MAX) seconds = std::max(seconds, of_other + 1);
  }
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0 || !host[0]) host = {'h', 'o', 's', 't'};
  const std::string stem = std::string(kPrefix) + std::to_string(seconds) + '.' + host.data() + '.' +
                           std::to_string(getpid()) + '.';
  for (int i = 0;; ++i) {
    const fs::path path = folder / (stem + std::to_string(i));
    if (!fs::exists(path)) return path;
  }
}

}  // namespace

TensorBoardFile::TensorBoardFile(const fs::path& folder)
    : path_(new_path(folder)), file_(path_, O_WRONLY | O_APPEND | O_CREAT | O_EXCL, "create") {
  write_event(field(1, 0.0) + field(3, std::string("brain.Event:2")));
  // SessionLog START at step 0: what was read of other files from there on counts no more.
  write_event(event(0, 0) + field(7, field(1, uint64_t{1})));
}

void TensorBoardFile::write_scalar(const std::string& tag, int64_t step, double value, double unix_seconds) {
  write_event(event(unix_seconds, step) + summary(tag, field(2, static_cast<float>(value))));
}

void TensorBoardFile::write_text(const std::string& tag, int64_t step, const std::string& text,
                                 double unix_seconds) {
  write_event(event(unix_seconds, step) + summary(tag, text_value(text)));
}

void TensorBoardFile::replace_others() const {
  const fs::path folder = path_.parent_path();
  for (const std::string& name : io::names_in(folder)) {
    if (name.starts_with(kPrefix) && folder / name != path_) io::remove_tree(folder / name);
  }
}

void TensorBoardFile::write_event(std::string_view event) {
  const std::string length = bytes_of(static_cast<uint64_t>(event.size()));
  std::string record = length + bytes_of(masked_crc32c(length));
  record.append(event);
  record += bytes_of(masked_crc32c(event));
  // One write a record, so that a reader beside never sees one that is mixed with another.
  file_.write(record);
}

}  // namespace cosformer::train
