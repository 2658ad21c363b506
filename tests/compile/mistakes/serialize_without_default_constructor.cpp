// A class that serializes but cannot be made empty.
// expect: first made empty, then filled. Give it a default constructor
// names: Argument<1, const Range ?&>
#include <pp/pp.hpp>

class Range {
 public:
  Range(int first, int last) : first_(first), last_(last) {}
  int size() const { return last_ - first_; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(first_, last_);
  }

 private:
  int first_, last_;
};

int size_of(const Range& range) { return range.size(); }

int main_job(pp::Runtime& rt) { return rt.submit<size_of>(Range(1, 2)).get(); }
