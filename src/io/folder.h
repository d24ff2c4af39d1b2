#pragma once

#include <filesystem>
#include <string>
#include <vector>

/// Names in folders. What fails is an IoError that names the path. A call that fails may have been done all
/// the same, as network file systems do it.
namespace cosformer::io {

/// Makes a folder and those above it, where absent, so that its name lasts through a power failure.
void make_folder(const std::filesystem::path& folder);

/// Removes a file, or a folder with all that is in it. Nothing there is no error.
void remove_tree(const std::filesystem::path& path);

void rename_path(const std::filesystem::path& from, const std::filesystem::path& to);

/// Makes new names, renames and removals in a folder last through a power failure.
void sync_folder(const std::filesystem::path& folder);

/// Of all that is in it, in no order; none where it is absent.
std::vector<std::string> names_in(const std::filesystem::path& folder);

/// The folder that a name is in; that of a name alone is ".".
std::filesystem::path folder_of(const std::filesystem::path& path);

}  // namespace cosformer::io
