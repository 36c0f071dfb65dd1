/// An order in which every node stands after those it depends on.
enum ONNXNodeOrder {
  case sorted([Int])
  /// Nodes each of which depends on the next, and the last one on the first.
  case cycle([Int])

  /// - Parameter dependencies: of every node, the nodes that it depends on. Nodes that stand in
  ///   order already keep their places.
  init(dependencies: [[Int]]) {
    if dependencies.enumerated().allSatisfy({ node, others in others.allSatisfy { $0 < node } }) {
      self = .sorted(Array(dependencies.indices))
      return
    }
    // Depth first, without recursion: a chain may be as long as the file.
    enum State { case new, open, done }
    var states = [State](repeating: .new, count: dependencies.count)
    var order: [Int] = []
    for start in dependencies.indices where states[start] == .new {
      // The way from `start` to the node looked at, and how many dependencies of each were seen.
      var path = [(node: start, seen: 0)]
      states[start] = .open
      while let (node, seen) = path.last {
        guard seen < dependencies[node].count else {
          states[node] = .done
          order.append(node)
          path.removeLast()
          continue
        }
        path[path.count - 1].seen += 1
        let other = dependencies[node][seen]
        switch states[other] {
        case .done: break
        case .new:
          states[other] = .open
          path.append((other, 0))
        case .open:
          self = .cycle(path.map(\.node).drop { $0 != other }.map { $0 })
          return
        }
      }
    }
    self = .sorted(order)
  }
}
