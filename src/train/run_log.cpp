#include "train/run_log.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "io/mapped_file.h"

namespace cosformer::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kTime = "unix_seconds";

/// Text whose line ends Markdown keeps.
std::string as_code(const std::string& text) {
  std::string code = "    ";
  for (const char c : text) code += c == '\n' ? "\n    " : std::string(1, c);
  return code;
}

}  // namespace

RunLog::RunLog(const std::filesystem::path& folder, int64_t last_step, const std::string& recipe)
    : metrics_(folder / "metrics.jsonl", last_step), tensorboard_(folder / "tensorboard") {
  tensorboard_.write_text("recipe", 0, as_code(recipe), 0);
  const io::MappedFile file(folder / "metrics.jsonl");
  for (std::string_view text = file.text(); !text.empty();) {
    const std::size_t end = text.find('\n');
    const Json line = Json::parse(text.substr(0, end), nullptr, false);
    if (line.is_object()) draw(line);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  tensorboard_.replace_others();
}

void RunLog::write(Json line) {
  line[kTime] = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  metrics_.write(line);
  draw(line);
}

void RunLog::draw(const Json& line) {
  const auto step = line.value("step", int64_t{0});
  const std::string split = line.value("split", std::string());
  const double time = line.value(kTime, 0.0);
  for (const auto& [key, value] : line.items()) {
    const bool is_curve = value.is_number() && key != "step" && !key.ends_with("_seconds");
    if (is_curve) tensorboard_.write_scalar(split + '/' + key, step, value.get<double>(), time);
    if (key == "sample" && value.is_string())
      tensorboard_.write_text(split + "/sample", step, as_code(value.get<std::string>()), time);
  }
}

}  // namespace cosformer::train
