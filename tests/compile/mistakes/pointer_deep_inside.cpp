// A pointer two structs deep in a vector.
// expect: a pointer means nothing on another node
// names: CannotTravel<Texture ?\*, Material, Mesh, std::vector<Mesh
#include <pp/pp.hpp>
#include <string>
#include <vector>

struct Texture {
  int size = 0;
};
struct Material {
  std::string name;
  Texture* texture = nullptr;
};
struct Mesh {
  std::vector<double> points;
  Material material;
};

int render(int frame, const std::vector<Mesh>& meshes) {
  return frame + static_cast<int>(meshes.size());
}

int main_job(pp::Runtime& rt) { return rt.submit<render>(1, std::vector<Mesh>(3)).get(); }
