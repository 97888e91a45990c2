/// The layers of an image where one leans on those below it: directories that a layer needs and
/// does not name. Applied one after the other, as image-spec describes it, such a layer finds the
/// directory of a lower one and leaves it as it is, or goes through a link that lies there.
/// Unpacked apart, it has a directory of its own there, which overlay shows instead. Here it is
/// found out what then differs. Reads directories, writes nothing.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "oci/layer_look.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>
#include <time.h>

namespace tank::oci {

/// A directory as a container shall see it. `path` is relative; "" is the root.
struct directory_look {
  std::string path;
  bool hidden = false;    ///< it shall not be seen at all
  mode_t permissions = 0; ///< 07777
  uid_t uid = 0;
  gid_t gid = 0;
  timespec mtime{};
  std::vector<std::pair<std::string, std::string>> attributes; ///< but those of overlay
};
/// One line each; equal looks give equal texts.
std::string to_text(const std::vector<directory_look>& looks);

/// Paths of one layer: where it says `first`, `second` is meant.
using path_moves = std::map<std::string, std::string>;
/// `path` with its longest prefix in `moves` replaced; itself when there is none. A path of `moves`
/// itself is left alone: only what lies below it moves.
std::string moved(const path_moves& moves, const std::string& path);

/// Layers on one another. Nothing is followed but by `moves_for`, and that inside only. Blocking.
class layer_stack {
 public:
  /// On top of those before. `implied`: directories of it that it does not name; `marked`: that
  /// hold whiteouts; as unpack_report says.
  void push(unique_fd root, const std::vector<std::string>& implied,
            const std::vector<std::string>& marked, std::string name = {});

  /// What a layer must move to lie on this stack: implied directories of it that are links here.
  /// `root` is the layer, unpacked by itself; borrowed.
  result<path_moves> moves_for(int root, const std::vector<std::string>& implied);

  /// What an archive on top of this stack means by a hard link to `path`: a file or a link of the
  /// layers, which is not followed; parents are, inside of the root. errc::not_found when there is
  /// none.
  struct lower_file {
    unique_fd fd;          ///< O_PATH
    std::size_t layer = 0; ///< 0 is the bottom
    std::string path;      ///< in that layer
  };
  result<lower_file> file_at(const std::string& path);
  /// Tells that file from any other that the name may mean elsewhere: the layer that has it, as
  /// `push` named it, and its path there.
  result<std::string> identity(const std::string& path);

  /// How the implied directories, and those above them, look when the layers are applied one after
  /// the other, unless all of them look so already: a layer of only these on top makes it right.
  /// Parents come before their children. Among them are directories that are there for whiteouts of
  /// nothing only, which nobody shall see, and those whose whiteouts overlay would list because no
  /// other layer has them. `directories` are to be there in any case: what is missing of them is
  /// made, 0755 and root's, unless something else lies in the way.
  result<std::vector<directory_look>> dressing(const std::vector<std::string>& directories = {});

 private:
  struct layer {
    unique_fd root;
    std::set<std::string> implied;
    std::set<std::string> marked;
    std::string name;
  };

  result<layer_look> look(int root, const std::string& path);
  result<layer_look> find(const std::string& path, std::size_t* by = nullptr);
  result<std::string> resolve(const std::string& parent, const std::string& name);
  result<std::string> resolve_all(const std::string& path);
  result<std::set<std::string>> missing(const std::vector<std::string>& paths);
  result<void> spend(std::size_t steps);

  /// What there is of one directory in the layers.
  struct shown {
    std::optional<directory_look> top;   ///< as overlay shows it
    std::optional<directory_look> right; ///< as it is to look
    std::vector<unique_fd> fds;          ///< that overlay merges, top first
    bool named = false;                  ///< by some layer
    bool marked = false;                 ///< has whiteouts
  };
  result<shown> see(const std::string& path);
  result<bool> hollow(const shown& what, const std::string& path,
                      const std::set<std::string>& known);

  std::vector<layer> layers_; ///< bottom first
  std::uint64_t spent_ = 0;
};

} // namespace tank::oci
