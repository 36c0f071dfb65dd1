/// What a model is made of and, once a batch says how long its axes are, what a check of it would
/// take.
public struct Inspection: Sendable {
  /// The kinds of file that hold a graph.
  public enum Kind: String, Sendable {
    case onnx, network
  }

  /// The file.
  public var model: String
  public var kind: Kind
  /// What the file says of itself, such as its opset.
  public var facts: [String]
  public var inputs: [Value]
  public var outputs: [Value]
  /// What θ is made of, or may be made of where nothing says what it is.
  public var parameters: [Parameter]
  /// The file's own operators, those that J needs and the others.
  public var operators: [OperatorUse]
  /// The nodes in topological order: of the graph that a check evaluates where `estimate` is there,
  /// else of the file's.
  public var nodes: [Node]
  /// What a check would take; nil where the graph cannot be made, or lengths of axes are not known.
  public var estimate: CheckEstimate?
  /// What a check would refuse.
  public var refusals: [String]
  /// What to know of how the model was read.
  public var warnings: [String]

  /// An input or output of a model.
  public struct Value: Sendable, Equatable {
    public var name: String
    /// Nil where the file does not say.
    public var type: ElementType?
    /// Lengths, symbols, or ? by axis; nil where the file does not say how many axes there are.
    public var shape: [String]?
  }

  /// A tensor of θ.
  public struct Parameter: Sendable, Equatable {
    public var name: String
    public var shape: [Int]
    public var type: ElementType

    /// Its components.
    public var count: Int { shape.reduce(1, *) }
  }

  /// An operator of the file.
  public struct OperatorUse: Sendable, Equatable {
    /// With its domain where that is not the standard's.
    public var name: String
    /// Nodes of it, bodies of loops and branches included.
    public var count: Int
    public var isSupported: Bool
    /// Whether J depends on a node of it.
    public var isNeeded: Bool
    /// What it becomes, or why it is not supported.
    public var note: String
  }

  /// A node of a graph.
  public struct Node: Sendable, Equatable {
    public enum Kind: String, Sendable {
      /// Of the batch.
      case input
      case parameter, constant
      case operation = "operator"
    }

    public var name: String
    public var kind: Kind
    /// The operator; empty for others.
    public var operation: String
    /// Nil where it is not known without a batch.
    public var shape: [Int]?
    /// The places in the list of the nodes that it takes.
    public var inputs: [Int]
    /// Whether it depends on θ.
    public var moves: Bool
    /// What its elements' sum is multiplied by in J; nil where it is no term of J.
    public var costFactor: Double?
  }
}

/// What a check would take, estimated from the graph and from what devices say of themselves. No
/// lane was evaluated.
public struct CheckEstimate: Sendable {
  public var segments: [Segment]
  /// Multiply-adds of one forward pass.
  public var forwardWork: Double
  /// A check of all components.
  public var full: Effort
  /// A check of a sample; nil where none is asked for.
  public var sample: Effort?
  public var devices: [DeviceEstimate]

  /// A segment of θ, and what the lanes of one of its components take.
  public struct Segment: Sendable {
    public var name: String
    public var shape: [Int]
    /// Steps of a lane's way through the graph.
    public var steps: Int
    /// Elements held for one lane.
    public var elementsPerLane: Int
    /// Multiply-adds of one lane.
    public var workPerLane: Double
    /// Why its lanes have no way through the graph; nil where they have one.
    public var refusal: String?

    /// Its components.
    public var count: Int { shape.reduce(1, *) }
  }

  /// How much a check is to do.
  public struct Effort: Sendable, Equatable {
    public var components: Int
    public var lanes: Int
    /// Multiply-adds of all lanes.
    public var work: Double
    /// Bytes that the host needs, without those of its drivers.
    public var hostBytes: Int
    /// The host's own part: forward and backward passes in double, and the textbook.
    public var hostSeconds: Double
  }
}

/// What a check would take of a device.
public struct DeviceEstimate: Sendable {
  /// What `--device` takes: `0:0`, or `cpu`.
  public var selector: String
  public var name: String
  /// `f32` or `f64`.
  public var precision: String
  /// Bytes of the tables that lanes read, and of the smallest and the usual batch beside them.
  public var tableBytes: Int
  public var leastBytes: Int
  public var usualBytes: Int
  /// Bytes that may be used.
  public var availableBytes: Int
  /// Lanes of the smallest batch, and the most of a usual one.
  public var leastLanes: Int
  public var usualLanes: Int
  /// Multiply-adds a second, by what the device says of itself.
  public var rate: Double
  /// Of all lanes; nil where no check was to be estimated.
  public var fullSeconds: Double
  public var sampleSeconds: Double?
  /// Why a check would not run there; nil where it would.
  public var refusal: String?
}
