#include "train/checkpoint_store.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "cosformer/error.h"
#include "io/atomic_file.h"
#include "io/descriptor.h"
#include "train/checkpoint_manifest.h"

namespace cosformer::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTensors = "state.safetensors";
constexpr const char* kState = "state.json";
constexpr std::string_view kPrefix = "step-";

/// Calls that report errors as IoError of the folder concerned.
void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) io::fail(folder, "create", error.value());
}

void remove_tree(const fs::path& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (error) io::fail(folder, "remove", error.value());
}

}  // namespace

fs::path CheckpointStore::path(int64_t step) const {
  const std::string digits = std::to_string(step);
  return folder_ /
         (std::string(kPrefix) + std::string(8 - std::min<std::size_t>(8, digits.size()), '0') + digits);
}

std::vector<int64_t> CheckpointStore::steps() const {
  std::vector<int64_t> steps;
  std::error_code error;
  for (fs::directory_iterator entry(folder_, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    int64_t step = 0;
    const auto [stop, failed] =
        std::from_chars(name.data() + std::min(kPrefix.size(), name.size()), name.data() + name.size(), step);
    if (name.starts_with(kPrefix) && failed == std::errc() && stop == name.data() + name.size()) {
      steps.push_back(step);
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) io::fail(folder_, "read", error.value());
  std::sort(steps.begin(), steps.end());
  return steps;
}

void CheckpointStore::save(int64_t step, const std::vector<io::TensorBytes>& tensors,
                           const std::string& state) const {
  make_folder(folder_);
  const fs::path beside = folder_ / ".partial";
  remove_tree(beside);
  try {
    make_folder(beside);
    io::write_safetensors(beside / kTensors, tensors);
    io::write_file(beside / kState, state);
    write_manifest(beside, {kTensors, kState});
    // One of the same step is there only where it was damaged and an earlier one used.
    remove_tree(path(step));
    if (std::rename(beside.c_str(), path(step).c_str()) != 0) io::fail(path(step), "create", errno);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(beside, ignored);
    throw;
  }
  io::sync_folder(folder_);
  std::vector<int64_t> kept = steps();
  std::erase_if(kept, [&](int64_t other) {
    if (other > step) remove_tree(path(other));
    return other > step;
  });
  for (; static_cast<int64_t>(kept.size()) > keep_; kept.erase(kept.begin())) remove_tree(path(kept.front()));
}

std::optional<StoredCheckpoint> CheckpointStore::load_newest(
    const std::function<void(const std::string&)>& on_damage) const {
  const std::vector<int64_t> all = steps();
  for (auto step = all.rbegin(); step != all.rend(); ++step) {
    const fs::path checkpoint = path(*step);
    try {
      check_manifest(checkpoint, {kTensors, kState});
      return StoredCheckpoint{*step, std::string(io::MappedFile(checkpoint / kState).text()),
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
