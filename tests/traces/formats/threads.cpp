// Two threads that allocate at the same time, through operator new, for ltrace to watch.
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

struct alignas(128) Wide {
  char bytes[128];
};

static void work(int count) {
  std::vector<std::string*> strings;
  for (int i = 0; i < count; ++i) strings.push_back(new std::string(static_cast<std::size_t>(20 * i), 'x'));
  for (std::string* string : strings) delete string;
  delete new Wide;
  delete[] new int[50];
  std::free(std::realloc(std::malloc(40), 900));
}

int main() {
  std::thread one(work, 6);
  std::thread other(work, 6);
  one.join();
  other.join();
  work(2);
}
