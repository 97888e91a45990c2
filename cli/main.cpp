#include "cli/context.hpp"

int main(int argc, char** argv) {
  return tank::cli::run_process(argc, argv);
}
