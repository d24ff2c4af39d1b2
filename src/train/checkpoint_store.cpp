#include "train/checkpoint_store.h"

#include <algorithm>
#include <charconv>

#include "cosformer/error.h"
#include "io/atomic_file.h"
#include "io/folder.h"
#include "train/checkpoint_manifest.h"

namespace cosformer::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTensors = "state.safetensors";
constexpr const char* kState = "state.json";
constexpr std::string_view kPrefix = "step-";

/// ".step-00000100" of "step-00000100", in the same folder.
fs::path hidden(const fs::path& checkpoint) {
  return checkpoint.parent_path() / ('.' + checkpoint.filename().string());
}

/// Takes the digits at the front of a text; none if there are none.
std::optional<int64_t> take_number(std::string_view& text) {
  int64_t number = 0;
  const auto [stop, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || number < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  return number;
}

}  // namespace

fs::path CheckpointStore::path(Entry entry) const {
  const std::string digits = std::to_string(entry.step);
  const std::string zeros(8 - std::min<std::size_t>(8, digits.size()), '0');
  const std::string edition = entry.edition == 1 ? "" : '.' + std::to_string(entry.edition);
  return folder_ / (std::string(kPrefix) + zeros + digits + edition);
}

std::vector<CheckpointStore::Entry> CheckpointStore::entries() const {
  std::vector<Entry> entries;
  for (const std::string& name : io::names_in(folder_)) {
    std::string_view text = name;
    if (!text.starts_with(kPrefix)) continue;
    text.remove_prefix(kPrefix.size());
    const auto step = take_number(text);
    std::optional<int64_t> edition = 1;
    if (text.starts_with('.')) {
      text.remove_prefix(1);
      edition = take_number(text);
    }
    if (step && edition && text.empty()) entries.push_back({*step, *edition});
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

std::vector<int64_t> CheckpointStore::steps() const {
  std::vector<int64_t> steps;
  for (const Entry entry : entries()) steps.push_back(entry.step);
  steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
  return steps;
}

void CheckpointStore::hide(Entry entry) const {
  io::rename_path(path(entry), hidden(path(entry)));
}

void CheckpointStore::remove_hidden() const {
  std::vector<std::string> hidden = io::names_in(folder_);
  std::erase_if(hidden,
                [](const std::string& name) { return !name.starts_with('.' + std::string(kPrefix)); });
  if (hidden.empty()) return;
  io::sync_folder(folder_);  // Else a name could return from before it was hidden, when parts are gone.
  for (const std::string& name : hidden) io::remove_tree(folder_ / name);
}

void CheckpointStore::save(int64_t step, const std::vector<io::TensorBytes>& tensors,
                           const std::string& state) const {
  io::make_folder(folder_);
  remove_hidden();
  const std::vector<Entry> others = entries();
  Entry entry{step, 1};
  for (const Entry other : others) {
    if (other.step == step) entry.edition = other.edition + 1;
  }
  const fs::path place = path(entry), beside = hidden(place);
  try {
    io::make_folder(beside);
    const io::SafetensorsParts file((beside / kTensors).string(), tensors);
    const std::vector<CheckpointFile> files = {{kTensors, file.parts()},
                                               {kState, {std::as_bytes(std::span(state))}}};
    for (const auto& [name, parts] : files) io::write_file(beside / name, parts);
    write_manifest(beside, files);
    io::rename_path(beside, place);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(beside, ignored);
    throw;
  }
  io::sync_folder(folder_);
  std::size_t kept = 1;
  for (auto other = others.rbegin(); other != others.rend(); ++other) {
    if (other->step >= step || static_cast<int64_t>(++kept) > keep_) hide(*other);
  }
  remove_hidden();
}

std::optional<StoredCheckpoint> CheckpointStore::load_newest(
    const std::function<void(const std::string&)>& on_damage) const {
  const std::vector<Entry> all = entries();
  for (auto entry = all.rbegin(); entry != all.rend(); ++entry) {
    const fs::path checkpoint = path(*entry);
    try {
      check_manifest(checkpoint, {kTensors, kState});
      return StoredCheckpoint{entry->step, std::string(io::MappedFile(checkpoint / kState).text()),
                              io::Safetensors(checkpoint / kTensors)};
    } catch (const NewerFormat&) {
      throw;
    } catch (const FormatError& error) {
      on_damage(std::string("damaged checkpoint: ") + error.what());
    } catch (const IoError& error) {
      on_damage(std::string("damaged checkpoint: ") + error.what());
    }
  }
  if (!all.empty()) {
    throw FormatError(folder_.string() + ": expected a whole checkpoint, got " + std::to_string(all.size()) +
                      " damaged");
  }
  return std::nullopt;
}

}  // namespace cosformer::train
