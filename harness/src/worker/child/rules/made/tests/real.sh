#!/bin/sh
# Each line below "the rules" makes one rule of the chain that it names, behind those of the lines before it.
nft add table inet f; nft add chain inet f c; nft add chain inet f x; nft add table ip f; nft add chain ip f c
nft add table ip6 f; nft add chain ip6 f c; nft add table bridge f; nft add chain bridge f c
# the rules
nft add rule inet f c 'tcp dport http drop'
nft add rule inet f c 'tcp dport { 80, 22, https } counter drop'
nft add rule inet f c 'tcp dport {81} drop'
nft add rule inet f c 'ip protocol tcp tcp dport 82 drop'
nft add rule inet f c 'meta l4proto tcp ip saddr 10.0.0.5/24 tcp dport 80 drop'
nft add rule inet f c 'ip protocol icmp drop'
nft add rule inet f c 'meta l4proto icmp ip saddr 10.0.0.1 drop'
nft add rule inet f c 'icmp type 8 drop'
nft add rule inet f c 'ct state related,established accept'
nft add rule inet f c 'ct state { new, untracked } accept'
nft add rule inet f c 'ct state established,related,new accept'
nft add rule inet f c 'meta iifname eth0 drop'
nft add rule inet f c 'iif lo accept'
nft add rule inet f c 'meta mark 1 drop'
nft add rule inet f c 'mark 0x10 drop'
nft add rule inet f c 'reject with icmpx type port-unreachable'
nft add rule inet f c 'ip saddr 10.0.0.1 reject with icmp type port-unreachable'
nft add rule inet f c 'ip saddr 10.0.0.1 reject with icmp type admin-prohibited'
nft add rule inet f c 'tcp dport 80 reject with tcp reset'
nft add rule inet f c 'reject with tcp reset'
nft add rule inet f c 'limit rate 10/second drop'
nft add rule inet f c log prefix '"x y: "' drop
nft add rule inet f c 'tcp dport 22-90 drop'
nft add rule inet f c tcp dport '>=' 1024 drop
nft add rule inet f c ip saddr '!=' 10.0.0.0/8 drop
nft add rule inet f c 'ip saddr 10.0.0.0-10.0.0.255 drop'
nft add rule inet f c 'ip6 saddr FD00:0:0::1 drop'
nft add rule inet f c tcp dport vmap '{ 22:accept, 80 : drop }'
nft add rule inet f c 'ether saddr 00:AA:bb:CC:dd:ee drop'
nft add rule inet f c 'tcp flags syn drop'
nft add rule inet f c iifname { b, a } drop comment '"hello"'
nft add rule inet f c 'udp dport domain ct state new counter packets 3 bytes 4 drop'
nft add rule inet f c 'icmpv6 type nd-neighbor-solicit drop'
nft add rule inet f c 'ip6 nexthdr icmpv6 drop'
nft add rule inet f c 'th dport 53 drop'
nft add rule inet f c 'meta l4proto { tcp, udp } th dport 53 drop'
nft add rule inet f c 'meta nfproto ipv4 tcp dport 9 drop'
nft add rule inet f c 'quota over 10 mbytes drop'
nft add rule inet f c 'log level warn drop'
nft add rule inet f c 'ip ttl 1 drop'
nft add rule inet f c 'ip length 100 drop'
nft add rule inet f c 'meta pkttype multicast drop'
nft add rule inet f c 'fib daddr type local drop'
nft add rule inet f c 'return'
nft add rule inet f c 'jump x'
nft add rule inet f c 'skuid root drop'
nft add rule inet f c 'ip saddr 10.0.0.1 ip daddr 10.0.0.2 tcp dport 5 accept'
nft add rule inet f c 'ct mark 0x5 drop'
nft add rule inet f c 'ip saddr . tcp dport { 10.0.0.1 . 80, 10.0.0.2 . 22 } drop'
nft add rule inet f c tcp sport 1000-2000 tcp dport ssh counter log prefix '"a"' reject
nft add rule inet f c 'ip daddr { 10.0.0.0/24, 10.1.0.0/16 } accept'
iptables -A INPUT -p tcp --dport http -s 10.0.0.5/24 -j DROP # ip filter INPUT 
iptables -A INPUT -s 10.0.0.9 -j REJECT # ip filter INPUT 
iptables -A INPUT -m state --state NEW,ESTABLISHED -p 6 -j ACCEPT # ip filter INPUT 
iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED ! -i eth0 -j ACCEPT # ip filter INPUT 
iptables -A INPUT --protocol icmp --icmp-type echo-request --jump DROP -m comment --comment "a b" # ip filter INPUT 
iptables -A INPUT -p tcp --syn -m limit --limit 5/minute -j LOG --log-prefix "x y" # ip filter INPUT 
iptables -A INPUT -p tcp -m multiport --dports 80,443,ssh -j DROP # ip filter INPUT 
iptables -A INPUT -p udp --destination-port 53 -j REJECT --reject-with icmp-admin-prohibited # ip filter INPUT 
iptables -A INPUT -m mark --mark 1 -j DROP # ip filter INPUT 
iptables -A INPUT -d 0.0.0.0/0 -p all -j DROP # ip filter INPUT 
iptables -A INPUT -p tcp -m tcp --dport 1:1023 ! -s 10.0.0.0/255.0.0.0 -i eth+ -j RETURN # ip filter INPUT 
iptables -A INPUT -m mac --mac-source 00:AA:bb:CC:dd:ee -j DROP # ip filter INPUT 
iptables -A INPUT -p udp -m udp --sport 67 --dport bootpc -j ACCEPT # ip filter INPUT 
iptables -A INPUT -p 47 -j DROP # ip filter INPUT 
iptables -A INPUT -m iprange --src-range 10.0.0.1-10.0.0.9 -j DROP # ip filter INPUT 
iptables -A INPUT -i lo -j ACCEPT # ip filter INPUT 
iptables -A INPUT -j LOG --log-level 4 # ip filter INPUT 
iptables -A INPUT -m pkttype --pkt-type broadcast -j DROP # ip filter INPUT 
iptables -A INPUT -m limit --limit 10/s --limit-burst 20 -j ACCEPT # ip filter INPUT 
iptables -A INPUT -m addrtype --dst-type LOCAL -j DROP # ip filter INPUT 
iptables -A INPUT -m length --length 100:200 -j DROP # ip filter INPUT 
iptables -A INPUT -p tcp ! --tcp-flags SYN,ACK SYN -j DROP # ip filter INPUT 
iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE # ip nat POSTROUTING 
iptables -t nat -A POSTROUTING -s 10.0.0.1 -j SNAT --to-source 192.0.2.1 # ip nat POSTROUTING 
iptables -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 10.0.0.1:8080 # ip nat PREROUTING 
iptables -t nat -A PREROUTING -p tcp --dport 81 -j REDIRECT --to-port 8080 # ip nat PREROUTING 
iptables -t mangle -A PREROUTING -j MARK --set-mark 1 # ip mangle PREROUTING 
iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu # ip mangle FORWARD 
ip6tables -A INPUT -p icmpv6 --icmpv6-type echo-request -j DROP # ip6 filter INPUT 
ip6tables -A INPUT -s fd00::1 -j REJECT # ip6 filter INPUT 
ip6tables -A INPUT -p icmpv6 --icmpv6-type neighbour-solicitation -j ACCEPT # ip6 filter INPUT 
ip6tables -A INPUT -d FD00:0::/64 -p tcp --dport 80 -j REJECT --reject-with tcp-reset # ip6 filter INPUT 
nft add rule ip f c tcp dport 80 drop
nft add rule ip f c ip protocol icmp drop
nft add rule ip f c reject
nft add rule ip6 f c icmpv6 type echo-request drop
nft add rule ip6 f c reject
nft add rule bridge f c ether type ip ip saddr 10.0.0.1 drop
nft add rule bridge f c arp operation request drop
nft add rule bridge f c ip6 saddr fd00::1 drop
