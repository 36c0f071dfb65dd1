import GPUCheck
import Testing

struct KernelChoiceTests {
  @Test("Words choose kernels, and what is no word is refused")
  func words() throws {
    #expect(try KernelChoice("") == KernelChoice())
    let choice = try KernelChoice("-chains,moments,fused,width=1")
    #expect(choice.takesChains == false)
    #expect(choice.takesMoments == true)
    #expect(choice.fusesSteps == true)
    #expect(choice.usesTiles == nil)
    #expect(choice.vectorWidth == 1)
    for words in ["chain", "width=3", "-width=1", "tiles, fused", "width="] {
      #expect(throws: InputError.self, "\(words)") { try KernelChoice(words) }
    }
  }
}
