// The files of published data sets: what is said when one is missing, with the command that fetches it.
#pragma once

#include <string>
#include <string_view>

namespace rz {

// "rezero data fetch cifar10 --out FOLDER"
std::string fetch_command(std::string_view dataset, std::string_view folder);
// The absolute path of a folder that is there. `holds` names its files.   Throws: file; the hint is the command that
// fetches the set.
std::string require_folder(std::string_view folder, std::string_view dataset, std::string_view holds);
// The same for a set of the user's own.   Throws: file
std::string require_folder_of(std::string_view folder, std::string_view holds);
// The bytes of FOLDER/NAME.   Throws: file; the hint is the command that fetches the set.
std::string read_published(const std::string& folder, std::string_view name, std::string_view dataset);
bool is_file(const std::string& path);  // or anything else but a folder
bool is_folder(const std::string& path);

}  // namespace rz
