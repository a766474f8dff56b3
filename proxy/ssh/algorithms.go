package ssh

import (
	"runtime"
	"slices"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/cpu"
)

// hasAES says that the processor has instructions for AES-GCM. Then ChaCha20, which
// OpenSSH's clients ask for first, costs twice as much.
var hasAES = cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ ||
	cpu.ARM64.HasAES && cpu.ARM64.HasPMULL || runtime.GOARCH == "s390x"

// algorithms are what is spoken. Towards clients, whose order decides, ChaCha20 is not
// offered where it is slow; towards targets it comes last.
func algorithms(towardsClient bool, rekey uint64) ssh.Config {
	ciphers := []string{ssh.CipherAES128GCM, ssh.CipherAES256GCM, ssh.CipherAES128CTR, ssh.CipherAES256CTR, ssh.CipherAES192CTR}
	switch {
	case !hasAES:
		ciphers = slices.Insert(ciphers, 0, ssh.CipherChaCha20Poly1305)
	case !towardsClient:
		ciphers = append(ciphers, ssh.CipherChaCha20Poly1305)
	}
	return ssh.Config{
		Ciphers: ciphers, RekeyThreshold: rekey,
		MACs: []string{ssh.HMACSHA256ETM, ssh.HMACSHA512ETM, ssh.HMACSHA256, ssh.HMACSHA512},
		// x/crypto's own order; what uses SHA-1 is not in it.
		KeyExchanges: slices.DeleteFunc(ssh.SupportedAlgorithms().KeyExchanges, func(name string) bool {
			return name == ssh.InsecureKeyExchangeDH14SHA1
		}),
	}
}

// clientKeys are the algorithms that clients may prove their keys with.
var clientKeys = []string{
	ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
	ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512,
}
