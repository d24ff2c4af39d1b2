#include "data/make_shards.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

#include "cosformer/error.h"
#include "data/in_parallel.h"
#include "data/shard_file.h"
#include "data/shard_index.h"
#include "data/words.h"
#include "io/checksum.h"
#include "io/folder.h"
#include "io/folder_lock.h"

namespace cosformer::data {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = std::size_t{1} << 20;

void copy_bytes(const TextFile& text, ShardBegin begin, int64_t tokens, ShardWriter& to) {
  std::string piece;
  for (uint64_t at = begin.byte, end = at + static_cast<uint64_t>(tokens); at < end; at += piece.size()) {
    piece.resize(std::min<uint64_t>(kPiece, end - at));
    text.read(at, piece);
    to.write(std::as_bytes(std::span(piece)));
  }
}

void copy_words(const TextFile& text, ShardBegin begin, int64_t tokens, const Vocabulary& vocabulary,
                ShardWriter& to) {
  const auto bytes = static_cast<std::size_t>(token_bytes(vocabulary.size()));
  TextPieces pieces(text, begin.byte, text.size());
  std::vector<std::byte> data;
  uint64_t skip = begin.skip;
  while (tokens > 0) {
    const std::string_view piece = pieces.next();
    if (piece.empty()) return;  // The text has become shorter: finish() will say so.
    data.clear();
    for_each_word(piece, [&](std::string_view word) {
      if (skip > 0) {
        --skip;
      } else if (tokens > 0) {
        --tokens;
        const int64_t token = vocabulary.token(word);
        data.resize(data.size() + bytes);
        std::memcpy(data.data() + data.size() - bytes, &token, bytes);
      }
    });
    to.write(data);
  }
}

/// The checksum of a shard that is there, whole and of these sizes.
std::optional<uint64_t> whole_shard(const fs::path& path, int token_bytes, int64_t tokens) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return std::nullopt;
  try {
    const ShardFile shard(path);
    if (shard.token_bytes() != token_bytes || shard.size() != tokens) return std::nullopt;
    shard.check();
    return shard.checksum();
  } catch (const FormatError&) {
    return std::nullopt;
  }
}

/// Fails unless shards may be made or gone on with there.
void expect_shards_or_nothing(const fs::path& output) {
  std::error_code error;
  const fs::file_status status = fs::status(output, error);
  if (status.type() == fs::file_type::not_found) return;
  if (!error && !fs::is_directory(status)) throw IoError(output.string() + ": expected a folder, got a file");
  const fs::directory_iterator entry(output, error);
  if (error) throw IoError(output.string() + ": cannot read: " + error.message());
  if (entry == fs::directory_iterator() || fs::exists(output / "plan.json")) return;
  // A run that ended while it wrote its first files has left only these.
  for (const fs::directory_entry& other : fs::directory_iterator(output)) {
    const std::string name = other.path().filename();
    if (name == kVocabularyFile || name.find(".partial-") != std::string::npos) continue;
    throw IoError(output.string() +
                  ": expected an empty folder, none, or one with shards, got one that holds " + name);
  }
}

/// What a killed run has begun; the lock tells that no other is at work.
void remove_partial_files(const fs::path& folder) {
  std::vector<fs::path> partial;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().find(".partial-") != std::string::npos)
      partial.push_back(entry.path());
  }
  for (const fs::path& path : partial) fs::remove(path);
}

/// A shard to be made.
struct Job {
  const SplitPlan& split;
  std::size_t shard;
  ShardIndex::Shard& result;
};

}  // namespace

std::vector<std::string> splits_of_text(const fs::path& source, Format format) {
  std::vector<std::string> splits;
  std::string error;
  for (const char* split : {"train", "valid", "test"}) {
    try {
      split_file(source, format, split);
      splits.emplace_back(split);
    } catch (const IoError& missing) {
      if (error.empty()) error = missing.what();
    }
  }
  if (splits.empty()) throw IoError(error);
  return splits;
}

ShardsMade make_shards(const ShardRequest& request, int workers, const fs::path& output,
                       const std::function<void(std::size_t, std::size_t)>& on_shard) {
  expect_shards_or_nothing(output);
  for (const std::string& split : request.splits) split_file(request.source, request.format, split);
  io::make_folder(output);
  const io::FolderLock lock(output);
  remove_partial_files(output);
  const ShardPlan plan = plan_shards(request, workers, output);

  ShardIndex index;
  index.tokenizer = request.format;
  index.vocabulary_size = plan.vocabulary_size();
  if (plan.vocabulary) {
    const std::string text = plan.vocabulary->text();
    index.vocabulary_checksum = io::crc64_text(io::crc64(std::as_bytes(std::span(text))));
  }
  ShardsMade made;
  made.vocabulary_size = index.vocabulary_size;
  std::vector<Job> jobs;
  for (const SplitPlan& split : plan.splits) {
    io::make_folder(output / split.split);
    remove_partial_files(output / split.split);
    std::vector<ShardIndex::Shard>& shards = index.splits[split.split];
    shards.resize(split.begins.size());
    for (std::size_t shard = 0; shard < shards.size(); ++shard) jobs.push_back({split, shard, shards[shard]});
    made.splits.push_back({split.split, split.tokens, shards.size()});
  }

  const int bytes = token_bytes(plan.vocabulary_size());
  std::mutex mutex;
  std::size_t done = 0;
  in_parallel(static_cast<int64_t>(jobs.size()), workers, [&](int64_t number) {
    const Job& job = jobs[static_cast<std::size_t>(number)];
    const fs::path path = output / shard_name(job.split.split, job.shard);
    job.result.tokens = ShardPlan::tokens_of(job.split, job.shard, request.shard_tokens);
    const std::optional<uint64_t> kept = whole_shard(path, bytes, job.result.tokens);
    if (!kept) {
      ShardWriter writer(path, bytes, static_cast<uint64_t>(job.result.tokens));
      const ShardBegin begin = job.split.begins[job.shard];
      if (plan.vocabulary) {
        copy_words(job.split.text, begin, job.result.tokens, *plan.vocabulary, writer);
      } else {
        copy_bytes(job.split.text, begin, job.result.tokens, writer);
      }
      writer.finish();
    }
    job.result.checksum = kept ? *kept : ShardFile(path).checksum();
    const std::lock_guard guard(mutex);
    if (kept) ++made.kept;
    on_shard(++done, jobs.size());
  });
  for (const SplitPlan& split : plan.splits) {
    const TextFile now(split.text.path());
    if (now.size() != split.text.size() || now.changed() != split.text.changed()) {
      throw IoError(split.text.path().string() +
                    ": expected a text that stays as it is, got one that changes");
    }
  }
  index.save(output);
  return made;
}

}  // namespace cosformer::data
