#include "replay/program.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace slabheap::replay {
namespace {

int open_unnamed(const std::string& folder) {
  std::string path = folder + "/slabheap-XXXXXX";
  const int file = folder.empty() ? memfd_create("slabheap-program", MFD_CLOEXEC) : mkostemp(path.data(), O_CLOEXEC);
  if (file < 0) throw std::system_error(errno, std::generic_category(), "a file for the program in '" + folder + "'");
  if (!folder.empty()) unlink(path.c_str());
  return file;
}

}  // namespace

Program::Program(const std::string& folder) : file_{open_unnamed(folder)} {}

Program::~Program() { close(file_); }

void Program::append(const trace::Event* events, std::size_t count) {
  const std::vector<Step> steps = compiler_.compile(events, count);
  const char* bytes = reinterpret_cast<const char*>(steps.data());
  std::size_t left = steps.size() * sizeof(Step);
  while (left > 0) {
    const ssize_t written = write(file_, bytes, left);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) throw std::system_error(errno, std::generic_category(), "writing the program");
    bytes += written;
    left -= static_cast<std::size_t>(written);
  }
}

}  // namespace slabheap::replay
