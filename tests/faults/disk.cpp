#include "faults/disk.h"

#include <fstream>
#include <functional>
#include <stdexcept>

#include "support/temporary_folder.h"

namespace cosformer::test {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPage = 4096;
constexpr int kDataChoices = 7;

std::string above(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}
std::string last(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

void assign(std::map<std::string, std::size_t>& names,
            const std::vector<std::pair<std::string, std::size_t>>& change) {
  for (const auto& [name, node] : change) {
    if (node == 0) {
      names.erase(name);
    } else {
      names[name] = node;
    }
  }
}

/// What may be left of bytes that were not synced.
std::string left_of(const std::string& now, const std::string& durable, int choice, std::mt19937_64& random) {
  const std::size_t kept = std::min(durable.size(), now.size());
  switch (choice) {
    case 0:
      return durable;
    case 1:
      return now;
    case 2:  // The length alone.
      return now.substr(0, kept) + std::string(now.size() - kept, '\0');
    case 3:  // The first half of its pages.
      return now.substr(0, kept + (now.size() - kept) / 2 / kPage * kPage);
    case 4: {  // The last page is torn.
      std::string torn = now;
      const std::size_t page = now.empty() ? 0 : (now.size() - 1) / kPage * kPage;
      const std::size_t from = std::max(kept, page + (now.size() - page) / 2);
      for (std::size_t i = from; i < torn.size(); ++i) torn[i] = static_cast<char>(random());
      return torn;
    }
    case 5: {  // The first page is not there, all others are.
      std::string hole = now;
      for (std::size_t i = kept; i < std::min(now.size(), kept + kPage); ++i) hole[i] = '\0';
      return hole;
    }
    default: {  // Any page is there, zero or garbage.
      std::string pages = now;
      for (std::size_t begin = kept / kPage * kPage; begin < now.size(); begin += kPage) {
        const uint64_t what = random() % 3;
        for (std::size_t i = std::max(begin, kept); i < std::min(begin + kPage, now.size()); ++i) {
          if (what != 0) pages[i] = what == 1 ? '\0' : static_cast<char>(random());
        }
      }
      return pages;
    }
  }
}

}  // namespace

Tree read_tree(const fs::path& folder) {
  Tree tree;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().lexically_relative(folder).string();
    tree[name] = entry.is_directory() ? std::nullopt : std::optional(read_text(entry.path()));
  }
  return tree;
}

void write_tree(const Tree& tree, const fs::path& folder) {
  fs::remove_all(folder);
  fs::create_directories(folder);
  for (const auto& [name, bytes] : tree) {  // A folder comes before what is in it.
    if (bytes) {
      std::ofstream(folder / name, std::ios::binary) << *bytes;
    } else {
      fs::create_directory(folder / name);
    }
  }
}

Disk::Disk(const Tree& tree) {
  add(true);
  for (const auto& [path, bytes] : tree) {
    const std::size_t node = add(!bytes);
    nodes_[node].data = nodes_[node].durable_data = bytes.value_or("");
    Node& folder = nodes_[find(above(path))];
    folder.names[last(path)] = folder.durable_names[last(path)] = node;
  }
}

std::size_t Disk::add(bool is_folder) {
  nodes_.push_back({.is_folder = is_folder});
  return nodes_.size() - 1;
}

std::size_t Disk::find(const std::string& path) const {
  if (path.empty()) return 0;
  return nodes_[find(above(path))].names.at(last(path));
}

void Disk::change(const std::string& folder, const Change& change) {
  Node& node = nodes_[find(folder)];
  assign(node.names, change);
  node.changes.push_back(change);
}

void Disk::apply(const Event& event) {
  if (event.call == Call::kClose) {
    files_.erase(event.file);
  } else if (event.call == Call::kSync) {
    Node& node = nodes_[files_.at(event.file)];
    if (!event.done) {
      node.sync_failed = true;
    } else if (node.is_folder) {
      node.durable_names = node.names;
      node.changes.clear();
    } else if (!node.sync_failed) {
      node.durable_data = node.data;
      node.is_dirty = false;
    }
  }
  if (!event.done) return;
  switch (event.call) {
    case Call::kOpen: {
      const std::string folder = above(event.path);
      const auto& names = nodes_[find(folder)].names;
      if (event.creates && !names.contains(last(event.path)))
        change(folder, {{last(event.path), add(false)}});
      const std::size_t node = files_[event.file] = find(event.path);
      if (event.truncates && !nodes_[node].data.empty()) {
        nodes_[node].data.clear();
        nodes_[node].is_dirty = true;
      }
      break;
    }
    case Call::kWrite: {
      Node& node = nodes_[files_.at(event.file)];
      node.data += event.bytes;
      node.is_dirty = true;
      break;
    }
    case Call::kRename:
      if (above(event.path) != above(event.to)) throw std::logic_error("a rename between folders");
      change(above(event.path), {{last(event.path), 0}, {last(event.to), find(event.path)}});
      break;
    case Call::kMakeFolder:
      change(above(event.path), {{last(event.path), add(true)}});
      break;
    case Call::kUnlink:
    case Call::kRemoveFolder:
      change(above(event.path), {{last(event.path), 0}});
      break;
    case Call::kSync:
    case Call::kClose:
      break;
  }
}

Tree Disk::now() const {
  Tree tree;
  const std::function<void(std::size_t, const std::string&)> walk = [&](std::size_t folder,
                                                                        const std::string& place) {
    for (const auto& [name, node] : nodes_[folder].names) {
      tree[place + name] = nodes_[node].is_folder ? std::nullopt : std::optional(nodes_[node].data);
      walk(node, place + name + '/');
    }
  };
  walk(0, "");
  return tree;
}

Tree Disk::chosen(const Choice& choice, std::mt19937_64& random) const {
  std::vector<std::map<std::string, std::size_t>> names;
  std::vector<std::string> data;
  std::size_t change = 0, dirty = 0;
  for (const Node& node : nodes_) {
    names.push_back(node.durable_names);
    for (const Change& each : node.changes) {
      if (choice.changes[change++]) assign(names.back(), each);
    }
    data.push_back(node.is_dirty ? left_of(node.data, node.durable_data, choice.data[dirty++], random)
                                 : node.data);
  }
  Tree tree;
  const std::function<void(std::size_t, const std::string&)> walk = [&](std::size_t folder,
                                                                        const std::string& place) {
    for (const auto& [name, node] : names[folder]) {
      tree[place + name] = nodes_[node].is_folder ? std::nullopt : std::optional(data[node]);
      walk(node, place + name + '/');
    }
  };
  walk(0, "");
  return tree;
}

std::set<Tree> Disk::after_power_loss(std::size_t limit, std::mt19937_64& random) const {
  std::size_t changes = 0, dirty = 0;
  for (const Node& node : nodes_) {
    changes += node.changes.size();
    dirty += node.is_dirty ? 1 : 0;
  }
  std::set<Tree> trees;
  const auto add_tree = [&](const Choice& choice) { trees.insert(chosen(choice, random)); };
  double ways = 1;
  for (std::size_t i = 0; i < changes; ++i) ways *= 2;
  for (std::size_t i = 0; i < dirty; ++i) ways *= kDataChoices;
  if (ways <= static_cast<double>(limit)) {
    for (std::size_t way = 0; way < static_cast<std::size_t>(ways); ++way) {
      Choice choice;
      std::size_t rest = way;
      for (std::size_t i = 0; i < changes; ++i, rest /= 2) choice.changes.push_back(rest % 2 != 0);
      for (std::size_t i = 0; i < dirty; ++i, rest /= kDataChoices) {
        choice.data.push_back(static_cast<int>(rest % kDataChoices));
      }
      add_tree(choice);
    }
    return trees;
  }
  for (const bool all : {false, true}) {
    Choice choice{std::vector<bool>(changes, all), std::vector<int>(dirty, all ? 1 : 0)};
    add_tree(choice);
    for (std::size_t i = 0; i < changes; ++i) {
      choice.changes[i] = !all;
      add_tree(choice);
      choice.changes[i] = all;
    }
  }
  for (std::size_t i = 0; i < limit; ++i) {
    Choice choice;
    for (std::size_t c = 0; c < changes; ++c) choice.changes.push_back(random() % 2 != 0);
    for (std::size_t d = 0; d < dirty; ++d) choice.data.push_back(static_cast<int>(random() % kDataChoices));
    add_tree(choice);
  }
  return trees;
}

}  // namespace cosformer::test
